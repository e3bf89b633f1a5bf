// Package house holds no code, only the tests that keep the module's rules:
// which package may import which, how heavy a light package may be, and what a
// consumer's module can build.
package house
