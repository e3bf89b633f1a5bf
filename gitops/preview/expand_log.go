package preview

import (
	"runtime"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
)

// silenced is the formatter of logrus' standard logger while previews run, because Argo CD's generators log every
// parameter there. It leaves out what is logged below a preview, and passes on what others log.
var silenced struct {
	sync.Mutex
	previews int
	filter   *logFilter
}

// silence keeps the entries that this package causes out of the standard logger, until the returned function is called.
func silence() (end func()) {
	silenced.Lock()
	defer silenced.Unlock()
	if silenced.previews == 0 {
		silenced.filter = &logFilter{Formatter: logrus.StandardLogger().Formatter}
		logrus.SetFormatter(silenced.filter)
	}
	silenced.previews++
	return func() {
		silenced.Lock()
		defer silenced.Unlock()
		if silenced.previews--; silenced.previews > 0 {
			return
		}
		// Unless somebody has set another one meanwhile.
		if logrus.StandardLogger().Formatter == logrus.Formatter(silenced.filter) {
			logrus.SetFormatter(silenced.filter.Formatter)
		}
	}
}

type logFilter struct{ logrus.Formatter }

// Format implements logrus.Formatter.
func (f *logFilter) Format(entry *logrus.Entry) ([]byte, error) {
	if belowPreview() {
		return nil, nil
	}
	return f.Formatter.Format(entry)
}

// belowPreview tells whether the caller was called by this package.
func belowPreview() bool {
	var callers [128]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, packagePath+".") && !strings.Contains(frame.Function, "logFilter") {
			return true
		}
		if !more {
			return false
		}
	}
}

const packagePath = "github.com/controlbackbone/backbone/gitops/preview"
