// Package replay says what the Sensors of Argo Events would do with an event, without a cluster: which dependencies
// match and why others do not, which triggers fire, and exactly what they would send.
//
// The filters, the transforms, the parameters and the triggers are those of Argo Events 1.9.10 itself; the conditions of
// triggers are kept as a sensor on a JetStream bus keeps them.
//
//	engine, err := replay.New(sensors, replay.Options{})
//	if err != nil {
//		return err
//	}
//	outcome, err := engine.NewSession().Send(ctx, event)
//	if err != nil {
//		return err
//	}
//	for _, firing := range outcome.Firings {
//		action, err := firing.Action(ctx)
//		...
//	}
//
// An [Engine] is compiled once and safe for concurrent use. A [Session] remembers what a sensor remembers between events:
// those that a condition still waits with, and the IDs that were there before.
//
// Nothing is sent anywhere. What a trigger would read from the cluster or fetch by URL is data in [Options]; without it
// there is a [MissingError], never a guess. Values that come from Secrets are not known here, and are [Masked].
//
// Scripts and templates of a Sensor are programs. In the sensor's pod they may read its files and environment; here they
// are refused when they name anything that reaches outside the event, see [Options].AllowUnsafe.
//
// Argo Events prints to standard output when a parameter falls back to its default value.
package replay
