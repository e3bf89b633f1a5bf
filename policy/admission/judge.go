package admission

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Judgement is what the policies say about one document.
type Judgement struct {
	Document Document
	// Verdicts on the creation of the object.
	Verdicts []Verdict
	// Allowed says that the object would be admitted.
	Allowed bool
	// Warnings are what the client would be told.
	Warnings []string
	// Err says why there is no answer; the object then counts as not admitted.
	Err error
}

// Report is what the policies say about many documents.
type Report struct{ Judgements []Judgement }

// Judge asks for the creation of each document's object, by nobody, on all cores. The judgements are in the order of the
// documents. The error is the context's.
func (e *Engine) Judge(ctx context.Context, documents []Document) (*Report, error) {
	report := &Report{Judgements: make([]Judgement, len(documents))}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for begin := 0; begin < len(documents); begin += chunk {
		group.Go(func() error {
			for i := begin; i < min(begin+chunk, len(documents)); i++ {
				if err := within.Err(); err != nil {
					return err
				}
				report.Judgements[i] = e.judge(within, documents[i])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("judge %d objects: %w", len(documents), context.Cause(ctx))
	}
	return report, nil
}

func (e *Engine) judge(ctx context.Context, document Document) Judgement {
	out := Judgement{Document: document}
	// No creation is a cleanup.
	request := Request{Object: document.Object, Only: []RuleType{Mutate, VerifyImage, Validate, Generate}}
	response, err := e.Evaluate(ctx, request)
	if err != nil {
		out.Err = err
		return out
	}
	out.Verdicts, out.Warnings, out.Allowed = response.Verdicts, response.Warnings, response.Allowed()
	return out
}

// Summary counts judgements and verdicts.
type Summary struct {
	Objects  int `json:"objects"`
	Admitted int `json:"admitted"`
	Denied   int `json:"denied"`
	// Verdicts by their status; those of audits that fail are among Fail.
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

// Summary counts.
func (r *Report) Summary() Summary {
	out := Summary{Objects: len(r.Judgements)}
	for _, judgement := range r.Judgements {
		if judgement.Allowed {
			out.Admitted++
		} else {
			out.Denied++
		}
		if judgement.Err != nil {
			out.Error++
		}
		for _, verdict := range judgement.Verdicts {
			switch verdict.Status {
			case Pass:
				out.Pass++
			case Fail:
				out.Fail++
			case Warn:
				out.Warn++
			case Error:
				out.Error++
			case Skip:
				out.Skip++
			}
		}
	}
	return out
}

// Failed reports whether there was no answer for an object, or a rule ended in an error.
func (r *Report) Failed() bool { return r.Summary().Error > 0 }

// OK reports whether every object is admitted, without an error.
func (r *Report) OK() bool { return r.Summary().Denied == 0 && !r.Failed() }
