package gitops

// checkPermissions is argo-cd's ValidatePermissions (util/argo/argo.go).
func (c *checker) checkPermissions(app application) {
	name, known := app.literal(app.spec.child("project"))
	if name == "" && !app.templated {
		name = "default"
	}
	if !known {
		return
	}
	if name == "" {
		app.spec.child("project").report(ruleUnknownProject, "a template needs a project")
		return
	}
	if !c.hasProject(name) {
		if len(c.projects) > 0 && name != "default" {
			app.spec.child("project").report(ruleUnknownProject, "there is no AppProject %q", name)
		}
		return
	}
	project := c.projectOf(name, app.namespace)
	if project == nil || project.open {
		return
	}
	outside := app.namespace != "" && project.namespace != "" && app.namespace != project.namespace
	if outside && !permitsNamespace(project.sourceNamespaces, app.namespace) {
		app.spec.child("project").report(ruleSourceNamespace,
			"AppProject %q does not permit Applications in the namespace %q", name, app.namespace)
	}
	checkPermittedSources(app, *project)
	c.checkPermittedDestination(app, *project)
}

func checkPermittedSources(app application, project project) {
	sources, _ := sourcesOf(app)
	if hydrator := app.spec.child("sourceHydrator"); hydrator.present() {
		sources = []node{hydrator.child("drySource")}
		if to := hydrator.child("syncSource"); to.child("repoURL").exists() {
			sources = append(sources, to)
		}
	}
	for _, source := range sources {
		at := source.child("repoURL")
		repo, known := app.literal(at)
		// The address may hold a password, so that the message does not repeat it.
		if known && repo != "" && !permitsSource(project.sourceRepos, repo) {
			at.report(ruleSourceRepo, "AppProject %q does not permit this repository", project.name)
		}
	}
}

func (c *checker) checkPermittedDestination(app application, project project) {
	destination := app.spec.child("destination")
	server, serverKnown := app.literal(destination.child("server"))
	name, nameKnown := app.literal(destination.child("name"))
	namespace, namespaceKnown := app.literal(destination.child("namespace"))
	if server != "" && name != "" || server == "" && name == "" {
		return
	}
	to := c.target(server, name, maybe{text: namespace, unknown: !namespaceKnown})
	if !serverKnown || !nameKnown {
		to.server, to.name = maybe{unknown: true}, maybe{unknown: true}
	}
	if permitsDestination(project.destinations, to) {
		return
	}
	at := destination.child("namespace")
	anywhere := to
	anywhere.namespace = maybe{unknown: true}
	if !permitsDestination(project.destinations, anywhere) {
		// No namespace would help: the cluster is at fault.
		if at = destination.child("server"); server == "" {
			at = destination.child("name")
		}
		at.report(ruleDestinationProject, "AppProject %q does not permit this cluster", project.name)
		return
	}
	at.report(ruleDestinationProject, "AppProject %q does not permit the namespace %q in this cluster", project.name, namespace)
}
