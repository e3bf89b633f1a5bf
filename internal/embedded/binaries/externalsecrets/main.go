// Command externalsecrets is the External Secrets Operator as upstream builds
// it, with every provider. Without a subcommand it is the controller; webhook
// and certcontroller come along and are not used by the embedded target.
package main

import "github.com/external-secrets/external-secrets/cmd/controller"

func main() {
	controller.Execute()
}
