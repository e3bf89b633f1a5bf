package embedded_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/embedded"
)

func TestPortsThatOthersListenOnAreNeverHandedOut(t *testing.T) {
	taken := map[int]bool{}
	for port := 20000; port < 30000; port += 10 { // every tenth of the range
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			taken[port] = true
			t.Cleanup(func() { require.NoError(t, listener.Close()) })
		}
	}
	cluster := start(t, embedded.Options{})
	seen := map[int]bool{}
	for i := range 200 {
		port, err := cluster.Port(fmt.Sprint(i))
		require.NoError(t, err)
		require.False(t, taken[port], "port %d has a listener", port)
		require.False(t, seen[port], "port %d was handed out twice", port)
		seen[port] = true
	}
}
