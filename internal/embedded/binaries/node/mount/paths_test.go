package mount_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/controlbackbone/backbone/internal/embedded/binaries/node/mount"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	paths := mount.NewPaths("/jail", []mount.Mount{{Path: "/etc/app"}, {Path: "/etc/app/tls"}, {Path: "/tmp/"}, {Path: "data"}})
	tests := map[string]struct{ text, want string }{
		"a mount path alone is rewritten":                    {"/etc/app", "/jail/etc/app"},
		"a path below a mount is rewritten":                  {"/etc/app/config.yaml", "/jail/etc/app/config.yaml"},
		"a nested mount is rewritten once":                   {"/etc/app/tls/key.pem", "/jail/etc/app/tls/key.pem"},
		"a trailing slash of the mount path does not matter": {"/tmp/x", "/jail/tmp/x"},
		"a mount path need not start with a slash":           {"/data/x", "/jail/data/x"},
		"the value of a flag is rewritten":                   {"--config=/etc/app/a", "--config=/jail/etc/app/a"},
		"each element of a list is rewritten":                {"/etc/app:/usr/bin:/tmp,/data", "/jail/etc/app:/usr/bin:/jail/tmp,/jail/data"},
		"a file URL is rewritten":                            {"file:///etc/app/a", "file:///jail/etc/app/a"},
		"paths in a shell script are rewritten":              {`cat "/etc/app/a">/tmp/b;ls /data`, `cat "/jail/etc/app/a">/jail/tmp/b;ls /jail/data`},
		"paths in JSON are rewritten":                        {`{"dir":"/data","n":1}`, `{"dir":"/jail/data","n":1}`},
		"a path that only begins alike is left":              {"/etc/app2 /etc/app-x /etc/app.d /tmpfs", "/etc/app2 /etc/app-x /etc/app.d /tmpfs"},
		"a path that ends alike is left":                     {"/opt/etc/app ./tmp x/tmp", "/opt/etc/app ./tmp x/tmp"},
		"the path of a URL with a host is left":              {"http://host/tmp/x", "http://host/tmp/x"},
		"a path of the host's root is not rewritten again":   {"/jail/etc/app/a", "/jail/etc/app/a"},
		"a text without paths is left":                       {"tmp data etc/app", "tmp data etc/app"},
		"an empty text is left":                              {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, paths.Rewrite(test.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is rewritten once must not change when it is looked at again, whatever
// the text: values of variables are inserted into texts that were rewritten.
func FuzzRewriteIsStable(f *testing.F) {
	paths := mount.NewPaths("/srv/node/jail", []mount.Mount{{Path: "/etc/app"}, {Path: "/tmp"}})
	f.Add("--a=/etc/app/b,/tmp:/tmp")
	f.Add("file:///tmp")
	f.Fuzz(func(t *testing.T, text string) {
		once := paths.Rewrite(text)
		if diff := cmp.Diff(once, paths.Rewrite(once)); diff != "" {
			t.Error(diff)
		}
	})
}
