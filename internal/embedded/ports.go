package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gofrs/flock"
)

// Ports are handed out long before their programs listen on them, so they come
// from below the range from which kernels serve outgoing connections (32768 and
// up on Linux, 49152 and up elsewhere) and NodePorts (30000 to 32767), and
// every one is held by a lock file that other clusters of this user respect.
const (
	firstPort = 20000
	lastPort  = 29999
)

// portPool hands out free loopback ports, each once, until it is released.
type portPool struct {
	dir string

	mu    sync.Mutex
	named map[string]int
	locks []*flock.Flock
}

func newPortPool() (*portPool, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "ports")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of reserved ports: %w", err)
	}
	return &portPool{dir: dir, named: map[string]int{}}, nil
}

// port returns the port of that name: a free one at first, the same ever after.
func (p *portPool) port(name string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if port, ok := p.named[name]; ok {
		return port, nil
	}
	const count = lastPort - firstPort + 1
	start := rand.IntN(count)
	for i := range count {
		port := firstPort + (start+i)%count
		lock := flock.New(filepath.Join(p.dir, strconv.Itoa(port)))
		locked, err := lock.TryLock()
		if err != nil {
			return 0, fmt.Errorf("reserve port %d for %s: %w", port, name, err)
		}
		if !locked {
			continue
		}
		if !free(port) {
			_ = lock.Unlock()
			continue
		}
		p.locks = append(p.locks, lock)
		p.named[name] = port
		return port, nil
	}
	return 0, fmt.Errorf("no free port for %s on 127.0.0.1 from %d to %d: stop other programs that listen there", name, firstPort, lastPort)
}

// forget gives back a name whose port turned out to be taken after all; the
// port itself stays reserved, so that it is not tried again.
func (p *portPool) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.named, name)
}

// release gives every port back.
func (p *portPool) release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, lock := range p.locks {
		errs = append(errs, lock.Unlock())
	}
	p.locks, p.named = nil, map[string]int{}
	return errors.Join(errs...)
}

// free reports whether nothing listens on the port, neither on loopback nor on
// all addresses.
func free(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
