// Package conformance runs the Gateway API's own conformance suite for service meshes against the mesh in the cluster that
// KUBECONFIG names.
package conformance

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// Features of HTTPRoute that its mesh tests use but do not count among the mesh features.
var usedByMeshTests = sets.New(
	features.SupportHTTPRouteResponseHeaderModification,
	features.SupportHTTPRouteParentRefPort,
	features.SupportHTTPRoute303RedirectStatusCode,
	features.SupportHTTPRoute307RedirectStatusCode,
	features.SupportHTTPRoute308RedirectStatusCode,
)

// Both mesh profiles with every core and extended mesh feature. Flags of the suite still apply, such as -run-test and
// -report-output; those that decide what is tested do not.
func TestMeshConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	options.ConformanceProfiles = []suite.ConformanceProfileName{
		suite.MeshHTTPConformanceProfileName,
		suite.MeshGRPCConformanceProfileName,
	}
	options.SupportedFeatures = features.SetsToNamesSet(features.MeshCoreFeatures, features.MeshExtendedFeatures).
		Union(usedByMeshTests).
		UnsortedList()
	if options.NamespaceLabels == nil {
		options.NamespaceLabels = map[string]string{"meshctl.io/inject": "enabled"}
	}
	implementation := &options.Implementation
	if implementation.Project == "" {
		implementation.Organization = "meshctl"
		implementation.Project = "meshctl"
		implementation.URL = "https://meshctl.io"
		implementation.Contact = []string{"https://meshctl.io"}
	}
	conformance.RunConformanceWithOptions(t, options)
}
