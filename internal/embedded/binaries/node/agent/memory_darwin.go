package agent

import "golang.org/x/sys/unix"

// totalMemory is the size of the machine's memory in bytes.
func totalMemory() (int64, error) {
	size, err := unix.SysctlUint64("hw.memsize")
	return int64(size), err
}
