package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/controlbackbone/backbone/eventing/replay"
)

// row is what one dependency or trigger does with one event.
type row struct {
	Event   string         `json:"event"`
	Sensor  string         `json:"sensor,omitempty"`
	Subject string         `json:"subject,omitempty"`
	Result  string         `json:"result"`
	Action  *replay.Action `json:"action,omitempty"`
}

// replay sends every event to the sensors of every bus of its namespace.
func (in *inputs) replay(ctx context.Context, engine *replay.Engine) ([]row, error) {
	var rows []row
	for _, fault := range engine.Faults() {
		rows = append(rows, row{Event: "-", Sensor: fault.Sensor.String(), Subject: subject("trigger", fault.Trigger), Result: "never fires: " + fault.Err.Error()})
	}
	sessions := map[replay.Bus]*replay.Session{}
	for _, bus := range engine.Buses() {
		sessions[bus] = engine.NewSession(bus)
	}
	for _, event := range in.events {
		switch {
		case event.Refused != nil:
			rows = append(rows, row{Event: event.File, Result: "refused by the event source: " + event.Refused.Error()})
			continue
		case event.Event == nil:
			rows = append(rows, row{Event: event.File, Result: "kept back by the filter of the event source"})
			continue
		}
		heard := len(rows)
		for _, bus := range engine.Buses() {
			if event.Namespace != "" && event.Namespace != bus.Namespace {
				continue
			}
			outcome, err := sessions[bus].Send(ctx, *event.Event)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", event.File, err)
			}
			rows = append(rows, rowsOf(ctx, event.File, outcome)...)
		}
		if len(rows) == heard {
			rows = append(rows, row{Event: event.File, Result: fmt.Sprintf("no sensor listens to %s/%s", event.Event.Source(), event.Event.Subject())})
		}
	}
	return rows, nil
}

func rowsOf(ctx context.Context, event string, outcome *replay.Outcome) []row {
	if outcome.Duplicate {
		return []row{{Event: event, Result: "dropped by the bus: it has had an event with this ID"}}
	}
	var rows []row
	for i := range outcome.Decisions {
		decision := &outcome.Decisions[i]
		rows = append(rows, row{
			Event: event, Sensor: sensorOf(decision.Sensor()), Subject: subject("dependency", decision.Dependency()), Result: verdict(decision),
		})
	}
	for i := range outcome.Waiting {
		waiting := &outcome.Waiting[i]
		rows = append(rows, row{
			Event: event, Sensor: sensorOf(waiting.Sensor()), Subject: subject("trigger", waiting.Trigger()),
			Result: "waits for " + strings.Join(waiting.Lack, ", ") + " in " + waiting.Condition(),
		})
	}
	for i := range outcome.Firings {
		firing := &outcome.Firings[i]
		next := row{Event: event, Sensor: sensorOf(firing.Sensor()), Subject: subject("trigger", firing.Trigger())}
		action, err := firing.Action(ctx)
		if err != nil {
			next.Result = "fails: " + err.Error()
		} else {
			next.Action = action
			next.Result = strings.Join(strings.Fields("fires "+action.Kind+" "+action.Operation+" "+action.Target), " ")
			if len(action.Payload) > 0 {
				next.Result += " " + strings.TrimSpace(string(action.Payload))
			}
		}
		rows = append(rows, next)
	}
	return rows
}

func verdict(decision *replay.Decision) string {
	if decision.Matched {
		return "matches"
	}
	var reasons []string
	for _, reason := range decision.Why() {
		if !reason.Matched {
			reasons = append(reasons, reason.Path+" "+reason.Text)
		}
	}
	if len(reasons) == 0 && decision.Err != nil {
		reasons = []string{decision.Err.Error()}
	}
	return "no: " + strings.Join(reasons, "; ")
}

func sensorOf(namespace, name string) string { return namespace + "/" + name }

func subject(kind, name string) string { return strings.TrimSpace(kind + " " + name) }

func writeTable(out io.Writer, rows []row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "EVENT\tSENSOR\tWHAT\tRESULT")
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.Event, row.Sensor, row.Subject, strings.ReplaceAll(row.Result, "\n", " "))
	}
	return table.Flush()
}

func writeJSON(out io.Writer, rows []row) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}
