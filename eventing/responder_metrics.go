package eventing

import "github.com/prometheus/client_golang/prometheus"

type responderMetrics struct {
	deliveries  *prometheus.CounterVec
	duration    prometheus.Histogram
	queued      prometheus.Gauge
	deadLetters prometheus.Gauge
}

func newResponderMetrics(name string) responderMetrics {
	labels := prometheus.Labels{"responder": name}
	return responderMetrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backbone_responder_deliveries_total", ConstLabels: labels,
			Help: "Requests by how they ended.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "backbone_responder_handle_duration_seconds", ConstLabels: labels,
			Help:    "How long an attempt to handle an event took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 9),
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "backbone_responder_queue_depth", ConstLabels: labels,
			Help: "Events that wait for a worker.",
		}),
		deadLetters: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "backbone_responder_dead_letters", ConstLabels: labels,
			Help: "Dead letters that this process knows of.",
		}),
	}
}

func (m responderMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.deliveries, m.duration, m.queued, m.deadLetters}
}

// Describe is for prometheus.Collector.
func (r *Responder) Describe(descriptions chan<- *prometheus.Desc) {
	for _, collector := range r.metrics.collectors() {
		collector.Describe(descriptions)
	}
}

// Collect is for prometheus.Collector. The metrics carry the Name of the
// Responder as the label "responder"; deliveries also carry "result", which is one
// of 19 words. Dead letters are counted when Start begins and whenever
// [Responder.DeadLetters] is called, and in between by what this process does; for
// alerts across replicas take the deliveries with the result "dead-lettered".
func (r *Responder) Collect(metrics chan<- prometheus.Metric) {
	for _, collector := range r.metrics.collectors() {
		collector.Collect(metrics)
	}
}
