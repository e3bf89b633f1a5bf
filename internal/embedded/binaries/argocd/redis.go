package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// runRedis serves Redis from memory until it is told to stop. It takes those of
// redis-server's flags that Argo CD's manifests set. Nothing is stored on disk,
// whatever --save and --appendonly say.
func runRedis(args []string) error {
	flags := flag.NewFlagSet("redis-server", flag.ContinueOnError)
	address := flags.String("bind", "127.0.0.1", "`address` to listen on")
	port := flags.String("port", "6379", "`port` to listen on")
	password := flags.String("requirepass", "", "`password` of the clients (default: none is asked for)")
	flags.String("save", "", "ignored: nothing is stored")
	flags.String("appendonly", "no", "ignored: nothing is stored")
	if err := flags.Parse(splitArguments(args)); err != nil {
		return err
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	redis := miniredis.NewMiniRedis()
	redis.RequireAuth(*password)
	if err := redis.StartAddr(net.JoinHostPort(*address, *port)); err != nil {
		return fmt.Errorf("start redis: %w", err)
	}
	defer redis.Close()
	fmt.Fprintln(os.Stderr, "redis-server: ready to accept connections on", redis.Addr())

	// Keys expire only as far as miniredis is told that time went by.
	const step = time.Second
	clock := time.NewTicker(step)
	defer clock.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-clock.C:
			redis.FastForward(step)
		}
	}
}

// splitArguments makes two of an argument like "--requirepass x", as
// redis-server does and Argo CD's manifests rely on.
func splitArguments(args []string) []string {
	var split []string
	for _, arg := range args {
		name, value, two := strings.Cut(arg, " ")
		if two && strings.HasPrefix(name, "--") {
			split = append(split, name, value)
			continue
		}
		split = append(split, arg)
	}
	return split
}
