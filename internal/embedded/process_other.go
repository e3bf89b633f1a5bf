//go:build unix && !linux

package embedded

import (
	"errors"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// checkPlatform refuses systems without a parent-death signal: a killed
// program would leave its cluster running there.
func checkPlatform() error {
	return errors.New("the embedded target runs on Linux only; give a cluster with --target kubeconfig instead")
}
