package target

// ListenGit has the git server of a connected cluster listen on another port
// than its usual one, because on the embedded cluster its pod shares this
// machine's ports.
func ListenGit(t Target, port int) { t.(*connected).gitPort = port }
