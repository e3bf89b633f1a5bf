package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
)

// requiredEnv returns the value of an environment variable the controller
// always sets on the pods it creates.
func requiredEnv(name string) (string, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	return value, nil
}

// decodeEnv reads an object from an environment variable, where the controller
// puts it as base64 of JSON.
func decodeEnv(name string, object any) error {
	encoded, err := requiredEnv(name)
	if err != nil {
		return err
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("decode environment variable %s: %w", name, err)
	}
	if err := json.Unmarshal(decoded, object); err != nil {
		return fmt.Errorf("parse environment variable %s: %w", name, err)
	}
	return nil
}

// bus is what an event source or a sensor needs to know to join the event bus.
type bus struct {
	config  *v1alpha1.BusConfig
	subject string
	podName string
}

// busFromEnv reads the bus of this pod from its environment.
//
// Only JetStream without credentials is accepted: argo-events reads credentials
// from the fixed path /etc/eventbus/auth (pkg/eventbus.GetAuth), which is the
// host's own directory when the container is a host process.
func busFromEnv() (bus, error) {
	config := &v1alpha1.BusConfig{}
	if err := decodeEnv(v1alpha1.EnvVarEventBusConfig, config); err != nil {
		return bus{}, err
	}
	if config.JetStream == nil {
		return bus{}, errors.New("the EventBus is not a jetstream or jetstreamExotic bus, the only kinds the embedded target runs")
	}
	if config.JetStream.AccessSecret != nil {
		return bus{}, errors.New("the EventBus has an accessSecret, which the embedded target cannot mount; use jetstreamExotic without it")
	}
	subject, err := requiredEnv(v1alpha1.EnvVarEventBusSubject)
	if err != nil {
		return bus{}, err
	}
	podName, err := requiredEnv(v1alpha1.EnvVarPodName)
	if err != nil {
		return bus{}, err
	}
	return bus{config: config, subject: subject, podName: podName}, nil
}
