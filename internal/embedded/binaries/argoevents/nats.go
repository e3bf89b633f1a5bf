package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// runNATS is a NATS server with the flags of nats-server, until ctx ends.
//
// Without TLS flags it offers TLS with a certificate made at start. Argo
// Events' JetStream clients refuse a server that offers none, and trust any
// certificate unless the bus says otherwise (pkg/eventbus/jetstream/base).
func runNATS(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("nats-server", flag.ContinueOnError)
	options, err := server.ConfigureOptions(flags, args, server.PrintServerAndExit, flags.Usage, server.PrintTLSHelpAndDie)
	if err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	// ctx already ends on the signals; two handlers would race.
	options.NoSigs = true
	if options.TLSConfig == nil {
		certificate, err := selfSigned(cmp.Or(options.Host, "localhost"))
		if err != nil {
			return fmt.Errorf("make certificate: %w", err)
		}
		options.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		options.TLS = true
		options.AllowNonTLS = true
	}
	natsServer, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("create server: %w", err)
	}
	natsServer.ConfigureLogger()
	if err := server.Run(natsServer); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	<-ctx.Done()
	natsServer.Shutdown()
	natsServer.WaitForShutdown()
	return nil
}

// selfSigned returns a certificate for host that signs itself, valid for a year.
func selfSigned(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "nats"},
		// Clocks of client and server are the same; the hour is for a step back.
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().AddDate(1, 0, 0),
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
