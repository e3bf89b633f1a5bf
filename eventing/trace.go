package eventing

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/argoproj/argo-events/pkg/apis/events/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Trace is the way of an event, as the pods of event sources and sensors tell it in their logs. What a pod wrote before it
// was replaced is gone, and a sensor says nothing of an event that its filters do not let through.
type Trace struct {
	// ID of the event.
	ID string
	// Published is where it came from, nil if no event source of the namespace put it on the bus.
	Published *Published
	// Runs are the triggers that ran with it, in the order of their times; a trigger that was tried again is there again.
	Runs []Run
}

// Published is an event on its way to the bus.
type Published struct {
	Time time.Time
	// EventSource and Event are the names by which sensors know it, Kind is the kind of the source, such as "webhook".
	EventSource, Event, Kind string
	Pod                      string
}

// Run is one try of a trigger.
type Run struct {
	Time            time.Time
	Sensor, Trigger string
	// Dependencies that it ran with, and the IDs of their events.
	Dependencies, Events []string
	// Error is what it failed with, empty for a success. It may show what a server answered.
	Error string
	Pod   string
}

// Trace follows the event with the ID through the pods of a namespace. The client needs [ClientOptions].Logs. The error
// joins those of logs that cannot be read; what the others tell is there all the same.
func (c *Client) Trace(ctx context.Context, namespace, id string) (*Trace, error) {
	trace := &Trace{ID: id}
	err := c.readLogs(ctx, namespace, time.Time{}, func(pod *unstructured.Unstructured, line logLine) {
		switch {
		case line.published() && line.EventID == id:
			trace.Published = &Published{
				Time: line.Time, EventSource: ownerOf(pod), Event: line.EventName, Kind: line.EventSourceType, Pod: pod.GetName(),
			}
		case line.ran() && slices.Contains(line.Events, id):
			trace.Runs = append(trace.Runs, line.run(pod))
		}
	})
	sortRuns(trace.Runs)
	return trace, err
}

// Failures returns the tries of triggers in a namespace that failed since a time, in their order. The client needs
// [ClientOptions].Logs. The error joins those of logs that cannot be read; what the others tell is there all the same.
func (c *Client) Failures(ctx context.Context, namespace string, since time.Time) ([]Run, error) {
	var failures []Run
	err := c.readLogs(ctx, namespace, since, func(pod *unstructured.Unstructured, line logLine) {
		if line.ran() && line.Error != "" && !line.Time.Before(since) {
			failures = append(failures, line.run(pod))
		}
	})
	sortRuns(failures)
	return failures, err
}

func sortRuns(runs []Run) {
	slices.SortStableFunc(runs, func(a, b Run) int { return a.Time.Compare(b.Time) })
}

// logLine is what pods of Argo Events write, one JSON object a line.
// argo-events: pkg/eventsources/eventing.go, pkg/sensors/listener.go
type logLine struct {
	Level           string    `json:"level"`
	Time            time.Time `json:"ts"`
	Message         string    `json:"msg"`
	EventID         string    `json:"eventID"`
	EventName       string    `json:"eventName"`
	EventSourceType string    `json:"eventSourceType"`
	TriggerName     string    `json:"triggerName"`
	Dependencies    []string  `json:"triggeredBy"`
	Events          []string  `json:"triggeredByEvents"`
	Error           string    `json:"error"`
}

func (l logLine) published() bool { return l.EventID != "" && l.Level == "info" }

func (l logLine) ran() bool { return l.TriggerName != "" && len(l.Events) > 0 }

func (l logLine) run(pod *unstructured.Unstructured) Run {
	return Run{
		Time: l.Time, Sensor: ownerOf(pod), Trigger: l.TriggerName, Dependencies: l.Dependencies, Events: l.Events,
		Error: l.Error, Pod: pod.GetName(),
	}
}

func ownerOf(pod *unstructured.Unstructured) string { return pod.GetLabels()[v1alpha1.LabelOwnerName] }

// readLogs hands over the lines of the pods of event sources and sensors.
func (c *Client) readLogs(ctx context.Context, namespace string, since time.Time, line func(*unstructured.Unstructured, logLine)) error {
	if c.logs == nil {
		return fmt.Errorf("read the logs of namespace %s: ClientOptions.Logs is not set", namespace)
	}
	pods := &unstructured.UnstructuredList{}
	pods.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
	if err := c.api.List(ctx, pods, client.InNamespace(namespace), client.HasLabels{"controller", v1alpha1.LabelOwnerName}); err != nil {
		return fmt.Errorf("list the pods of namespace %s: %w", namespace, err)
	}
	var errs []error
	for i := range pods.Items {
		pod := &pods.Items[i]
		controller := pod.GetLabels()["controller"]
		if controller != podControllers[EventSourceKind] && controller != podControllers[SensorKind] {
			continue
		}
		log, err := c.logs(ctx, namespace, pod.GetName(), since)
		if err == nil {
			err = eachLine(log, func(text []byte) {
				var parsed logLine
				// Lines of another form are not about events.
				if json.Unmarshal(text, &parsed) == nil {
					line(pod, parsed)
				}
			})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read the log of pod %s/%s: %w", namespace, pod.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

// maxLine bounds the memory for one line of a log, in bytes. A longer one is passed over.
const maxLine = 1 << 20

// eachLine reads to the end, and closes.
func eachLine(log io.ReadCloser, line func([]byte)) error {
	defer func() { _ = log.Close() }() // It was only read.
	reader := bufio.NewReaderSize(log, maxLine)
	for {
		text, err := reader.ReadSlice('\n')
		whole := err == nil || errors.Is(err, io.EOF)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if whole {
			line(text)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
