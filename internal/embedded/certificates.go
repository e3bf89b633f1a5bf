package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster. Its key never leaves memory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// keyPair names the files of a certificate and its key.
type keyPair struct{ cert, key string }

// clusterLifetime bounds every certificate; no embedded cluster lives that long.
const clusterLifetime = 30 * 24 * time.Hour

// newAuthority makes a certificate authority and writes its certificate to ca.crt in dir.
func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	template := certificate("backbone")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the certificate authority's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	return a, writePEM(a.path(), "CERTIFICATE", der)
}

// path is the file of the authority's own certificate.
func (a *authority) path() string { return filepath.Join(a.dir, "ca.crt") }

// client signs a client certificate for a Kubernetes user in groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	template := certificate(user)
	template.Subject.Organization = groups
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(template)
}

// server signs a serving certificate for loopback and the API server's own names.
func (a *authority) server(name string) (keyPair, error) {
	template := certificate(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return a.sign(template)
}

func (a *authority) sign(template *x509.Certificate) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("make a key for %s: %w", template.Subject.CommonName, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return keyPair{}, fmt.Errorf("sign a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return a.write(template.Subject.CommonName, der, key)
}

func (a *authority) write(name string, der []byte, key *ecdsa.PrivateKey) (keyPair, error) {
	base := filepath.Join(a.dir, fileName(name))
	pair := keyPair{cert: base + ".crt", key: base + ".key"}
	if err := writePEM(pair.cert, "CERTIFICATE", der); err != nil {
		return keyPair{}, err
	}
	return pair, writeKey(pair.key, key)
}

// serviceAccountKey writes the key pair that signs and verifies ServiceAccount tokens.
func (a *authority) serviceAccountKey() (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("make the service account key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return keyPair{}, fmt.Errorf("encode the service account key: %w", err)
	}
	pair := keyPair{cert: filepath.Join(a.dir, "service-account.pub"), key: filepath.Join(a.dir, "service-account.key")}
	if err := writePEM(pair.cert, "PUBLIC KEY", public); err != nil {
		return keyPair{}, err
	}
	return pair, writeKey(pair.key, key)
}

func certificate(commonName string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // crypto/rand never fails: since Go 1.24 it ends the program instead
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		// A clock that is a little behind another process's is common in virtual machines.
		NotBefore: now.Add(-time.Minute),
		NotAfter:  now.Add(clusterLifetime),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
