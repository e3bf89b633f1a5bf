package preview

// failures are the sides of an Application that could not be rendered.
func failures(before, after *Application) []Failure {
	var out []Failure
	for i, app := range []*Application{before, after} {
		if app != nil && app.RenderError != nil {
			out = append(out, Failure{Namespace: app.Object.GetNamespace(), Name: app.Object.GetName(), Side: side(i == 1),
				Error: maskText(app.RenderError.Error())})
		}
	}
	return out
}

// unknown reports an Application that is on one side only because what deploys it could not be rendered on the other:
// it is neither added nor deleted.
func (c comparison) unknown(before, after *Application) *Failure {
	app, own, other := before, c.base, c.head
	if before == nil {
		app, own, other = after, c.head, c.base
	} else if after != nil {
		return nil
	}
	for parent, depth := app.Parent, 0; parent != "" && depth <= maxDepth; depth++ {
		if there := other[parent]; there != nil {
			if there.RenderError == nil {
				return nil
			}
			return &Failure{Namespace: app.Object.GetNamespace(), Name: app.Object.GetName(), Side: side(before != nil),
				Error: "whether it is there depends on Application " + parent + ", which could not be rendered"}
		}
		if own[parent] == nil {
			return nil
		}
		parent = own[parent].Parent
	}
	return nil
}

func side(head bool) string {
	if head {
		return "head"
	}
	return "base"
}
