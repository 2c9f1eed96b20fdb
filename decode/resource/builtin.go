package resource

// A scope says whether an object of a resource lies in a namespace.
type scope uint8

const (
	unknownScope scope = iota // as many segments as the key has
	cluster
	namespaced
)

type builtin struct {
	GroupResource
	scope scope
}

// builtins are the resources that do not have their group in their keys, by the path that
// follows the prefix there. They are all that Kubernetes stores or has stored in an etcd v3,
// up to version 1.37, and what OpenShift adds. The path is the plural, except where it is
// written out here; the group is the one that stores the resource now, whichever did before.
//
// Source: the +genclient types of k8s.io/api v0.37.2; for the paths
// SpecialDefaultResourcePrefixes and AddCohabitatingResources in
// pkg/kubeapiserver/default_storage_factory_builder.go and test/integration/etcd/data.go,
// both in kubernetes/kubernetes, for ended resources in its older versions.
// OpenShift: specialDefaultResourcePrefixes in openshift/openshift-apiserver and
// openshift/oauth-apiserver, and test/extended/etcd in openshift/origin. Its
// projects are namespaces, and are not stored themselves.
var builtins = map[string]builtin{
	// Core.
	"configmaps":             {GroupResource{"", "configmaps"}, namespaced},
	"events":                 {GroupResource{"", "events"}, namespaced},
	"limitranges":            {GroupResource{"", "limitranges"}, namespaced},
	"namespaces":             {GroupResource{"", "namespaces"}, cluster},
	"persistentvolumeclaims": {GroupResource{"", "persistentvolumeclaims"}, namespaced},
	"persistentvolumes":      {GroupResource{"", "persistentvolumes"}, cluster},
	"pods":                   {GroupResource{"", "pods"}, namespaced},
	"podtemplates":           {GroupResource{"", "podtemplates"}, namespaced},
	"resourcequotas":         {GroupResource{"", "resourcequotas"}, namespaced},
	"secrets":                {GroupResource{"", "secrets"}, namespaced},
	"serviceaccounts":        {GroupResource{"", "serviceaccounts"}, namespaced},
	"controllers":            {GroupResource{"", "replicationcontrollers"}, namespaced},
	"minions":                {GroupResource{"", "nodes"}, cluster},
	"services/endpoints":     {GroupResource{"", "endpoints"}, namespaced},
	"services/specs":         {GroupResource{"", "services"}, namespaced},

	// Core, but no object of the API: what API servers keep of themselves.
	"masterleases":     {GroupResource{"", "masterleases"}, cluster},
	"peerserverleases": {GroupResource{"", "peerserverleases"}, cluster},
	"ranges":           {GroupResource{"", "ranges"}, cluster},

	// Groups whose path holds the group.
	"apiextensions.k8s.io/customresourcedefinitions": {GroupResource{"apiextensions.k8s.io", "customresourcedefinitions"}, cluster},
	"apiregistration.k8s.io/apiservices":             {GroupResource{"apiregistration.k8s.io", "apiservices"}, cluster},

	// admissionregistration.k8s.io; the last two ended with 1.9.
	"mutatingadmissionpolicies":           {GroupResource{"admissionregistration.k8s.io", "mutatingadmissionpolicies"}, cluster},
	"mutatingadmissionpolicybindings":     {GroupResource{"admissionregistration.k8s.io", "mutatingadmissionpolicybindings"}, cluster},
	"mutatingwebhookconfigurations":       {GroupResource{"admissionregistration.k8s.io", "mutatingwebhookconfigurations"}, cluster},
	"validatingadmissionpolicies":         {GroupResource{"admissionregistration.k8s.io", "validatingadmissionpolicies"}, cluster},
	"validatingadmissionpolicybindings":   {GroupResource{"admissionregistration.k8s.io", "validatingadmissionpolicybindings"}, cluster},
	"validatingwebhookconfigurations":     {GroupResource{"admissionregistration.k8s.io", "validatingwebhookconfigurations"}, cluster},
	"externaladmissionhookconfigurations": {GroupResource{"admissionregistration.k8s.io", "externaladmissionhookconfigurations"}, cluster},
	"initializerconfigurations":           {GroupResource{"admissionregistration.k8s.io", "initializerconfigurations"}, cluster},

	// apps; petsets are 1.3 and 1.4.
	"controllerrevisions": {GroupResource{"apps", "controllerrevisions"}, namespaced},
	"daemonsets":          {GroupResource{"apps", "daemonsets"}, namespaced},
	"deployments":         {GroupResource{"apps", "deployments"}, namespaced},
	"replicasets":         {GroupResource{"apps", "replicasets"}, namespaced},
	"statefulsets":        {GroupResource{"apps", "statefulsets"}, namespaced},
	"petsets":             {GroupResource{"apps", "petsets"}, namespaced},

	// auditregistration.k8s.io, 1.13 to 1.18.
	"auditsinks": {GroupResource{"auditregistration.k8s.io", "auditsinks"}, cluster},

	// autoscaling.
	"horizontalpodautoscalers": {GroupResource{"autoscaling", "horizontalpodautoscalers"}, namespaced},

	// batch; scheduledjobs are 1.4.
	"cronjobs":      {GroupResource{"batch", "cronjobs"}, namespaced},
	"jobs":          {GroupResource{"batch", "jobs"}, namespaced},
	"scheduledjobs": {GroupResource{"batch", "scheduledjobs"}, namespaced},

	// certificates.k8s.io.
	"certificatesigningrequests": {GroupResource{"certificates.k8s.io", "certificatesigningrequests"}, cluster},
	"clustertrustbundles":        {GroupResource{"certificates.k8s.io", "clustertrustbundles"}, cluster},
	"podcertificaterequests":     {GroupResource{"certificates.k8s.io", "podcertificaterequests"}, namespaced},

	// coordination.k8s.io.
	"leasecandidates": {GroupResource{"coordination.k8s.io", "leasecandidates"}, namespaced},
	"leases":          {GroupResource{"coordination.k8s.io", "leases"}, namespaced},

	// discovery.k8s.io.
	"endpointslices": {GroupResource{"discovery.k8s.io", "endpointslices"}, namespaced},

	// extensions, up to 1.7. What else it held has moved to other groups, with its keys.
	"thirdpartyresources": {GroupResource{"extensions", "thirdpartyresources"}, cluster},

	// flowcontrol.apiserver.k8s.io.
	"flowschemas":                 {GroupResource{"flowcontrol.apiserver.k8s.io", "flowschemas"}, cluster},
	"prioritylevelconfigurations": {GroupResource{"flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"}, cluster},

	// internal.apiserver.k8s.io.
	"storageversions": {GroupResource{"internal.apiserver.k8s.io", "storageversions"}, cluster},

	// lifecycle.k8s.io, since 1.37.
	"evictionrequests": {GroupResource{"lifecycle.k8s.io", "evictionrequests"}, namespaced},
	"evictions":        {GroupResource{"lifecycle.k8s.io", "evictions"}, namespaced},

	// networking.k8s.io; clustercidrs are 1.25 to 1.28.
	"clustercidrs":    {GroupResource{"networking.k8s.io", "clustercidrs"}, cluster},
	"ingress":         {GroupResource{"networking.k8s.io", "ingresses"}, namespaced},
	"ingressclasses":  {GroupResource{"networking.k8s.io", "ingressclasses"}, cluster},
	"ipaddresses":     {GroupResource{"networking.k8s.io", "ipaddresses"}, cluster},
	"networkpolicies": {GroupResource{"networking.k8s.io", "networkpolicies"}, namespaced},
	"servicecidrs":    {GroupResource{"networking.k8s.io", "servicecidrs"}, cluster},

	// node.k8s.io.
	"runtimeclasses": {GroupResource{"node.k8s.io", "runtimeclasses"}, cluster},

	// policy; podsecuritypolicies end with 1.24.
	"poddisruptionbudgets": {GroupResource{"policy", "poddisruptionbudgets"}, namespaced},
	"podsecuritypolicy":    {GroupResource{"policy", "podsecuritypolicies"}, cluster},

	// rbac.authorization.k8s.io.
	"clusterrolebindings": {GroupResource{"rbac.authorization.k8s.io", "clusterrolebindings"}, cluster},
	"clusterroles":        {GroupResource{"rbac.authorization.k8s.io", "clusterroles"}, cluster},
	"rolebindings":        {GroupResource{"rbac.authorization.k8s.io", "rolebindings"}, namespaced},
	"roles":               {GroupResource{"rbac.authorization.k8s.io", "roles"}, namespaced},

	// resource.k8s.io; the last five ended with its alpha versions, 1.26 to 1.31.
	"deviceclasses":              {GroupResource{"resource.k8s.io", "deviceclasses"}, cluster},
	"devicetaintrules":           {GroupResource{"resource.k8s.io", "devicetaintrules"}, cluster},
	"resourceclaims":             {GroupResource{"resource.k8s.io", "resourceclaims"}, namespaced},
	"resourceclaimtemplates":     {GroupResource{"resource.k8s.io", "resourceclaimtemplates"}, namespaced},
	"resourcepoolstatusrequests": {GroupResource{"resource.k8s.io", "resourcepoolstatusrequests"}, cluster},
	"resourceslices":             {GroupResource{"resource.k8s.io", "resourceslices"}, cluster},
	"podschedulingcontexts":      {GroupResource{"resource.k8s.io", "podschedulingcontexts"}, namespaced},
	"podschedulings":             {GroupResource{"resource.k8s.io", "podschedulings"}, namespaced},
	"resourceclaimparameters":    {GroupResource{"resource.k8s.io", "resourceclaimparameters"}, namespaced},
	"resourceclasses":            {GroupResource{"resource.k8s.io", "resourceclasses"}, cluster},
	"resourceclassparameters":    {GroupResource{"resource.k8s.io", "resourceclassparameters"}, namespaced},

	// scheduling.k8s.io.
	"compositepodgroups": {GroupResource{"scheduling.k8s.io", "compositepodgroups"}, namespaced},
	"podgroups":          {GroupResource{"scheduling.k8s.io", "podgroups"}, namespaced},
	"priorityclasses":    {GroupResource{"scheduling.k8s.io", "priorityclasses"}, cluster},
	"workloads":          {GroupResource{"scheduling.k8s.io", "workloads"}, namespaced},

	// settings.k8s.io, 1.6 to 1.19.
	"podpresets": {GroupResource{"settings.k8s.io", "podpresets"}, namespaced},

	// storage.k8s.io.
	"csidrivers":              {GroupResource{"storage.k8s.io", "csidrivers"}, cluster},
	"csinodes":                {GroupResource{"storage.k8s.io", "csinodes"}, cluster},
	"csistoragecapacities":    {GroupResource{"storage.k8s.io", "csistoragecapacities"}, namespaced},
	"storageclasses":          {GroupResource{"storage.k8s.io", "storageclasses"}, cluster},
	"volumeattachments":       {GroupResource{"storage.k8s.io", "volumeattachments"}, cluster},
	"volumeattributesclasses": {GroupResource{"storage.k8s.io", "volumeattributesclasses"}, cluster},

	// storagemigration.k8s.io.
	"storageversionmigrations": {GroupResource{"storagemigration.k8s.io", "storageversionmigrations"}, cluster},

	// OpenShift. Of its API groups only these were ever built in; the others are
	// custom resources.
	// apps.openshift.io.
	"deploymentconfigs": {GroupResource{"apps.openshift.io", "deploymentconfigs"}, namespaced},

	// authorization.openshift.io.
	"authorization/cluster/policies":       {GroupResource{"authorization.openshift.io", "clusterpolicies"}, cluster},
	"authorization/cluster/policybindings": {GroupResource{"authorization.openshift.io", "clusterpolicybindings"}, cluster},
	"authorization/local/policies":         {GroupResource{"authorization.openshift.io", "policies"}, namespaced},
	"authorization/local/policybindings":   {GroupResource{"authorization.openshift.io", "policybindings"}, namespaced},
	"rolebindingrestrictions":              {GroupResource{"authorization.openshift.io", "rolebindingrestrictions"}, namespaced},

	// build.openshift.io.
	"buildconfigs": {GroupResource{"build.openshift.io", "buildconfigs"}, namespaced},
	"builds":       {GroupResource{"build.openshift.io", "builds"}, namespaced},

	// image.openshift.io.
	"images":       {GroupResource{"image.openshift.io", "images"}, cluster},
	"imagestreams": {GroupResource{"image.openshift.io", "imagestreams"}, namespaced},

	// network.openshift.io.
	"registry/egressnetworkpolicy": {GroupResource{"network.openshift.io", "egressnetworkpolicies"}, namespaced},
	"registry/sdnnetnamespaces":    {GroupResource{"network.openshift.io", "netnamespaces"}, cluster},
	"registry/sdnnetworks":         {GroupResource{"network.openshift.io", "clusternetworks"}, cluster},
	"registry/sdnsubnets":          {GroupResource{"network.openshift.io", "hostsubnets"}, cluster},

	// oauth.openshift.io.
	"oauth/accesstokens":         {GroupResource{"oauth.openshift.io", "oauthaccesstokens"}, cluster},
	"oauth/authorizetokens":      {GroupResource{"oauth.openshift.io", "oauthauthorizetokens"}, cluster},
	"oauth/clientauthorizations": {GroupResource{"oauth.openshift.io", "oauthclientauthorizations"}, cluster},
	"oauth/clients":              {GroupResource{"oauth.openshift.io", "oauthclients"}, cluster},

	// quota.openshift.io.
	"clusterresourcequotas": {GroupResource{"quota.openshift.io", "clusterresourcequotas"}, cluster},

	// route.openshift.io.
	"routes": {GroupResource{"route.openshift.io", "routes"}, namespaced},

	// security.openshift.io.
	"rangeallocations":           {GroupResource{"security.openshift.io", "rangeallocations"}, cluster},
	"securitycontextconstraints": {GroupResource{"security.openshift.io", "securitycontextconstraints"}, cluster},

	// template.openshift.io.
	"brokertemplateinstances": {GroupResource{"template.openshift.io", "brokertemplateinstances"}, cluster},
	"templateinstances":       {GroupResource{"template.openshift.io", "templateinstances"}, namespaced},
	"templates":               {GroupResource{"template.openshift.io", "templates"}, namespaced},

	// user.openshift.io.
	"groups":         {GroupResource{"user.openshift.io", "groups"}, cluster},
	"useridentities": {GroupResource{"user.openshift.io", "identities"}, cluster},
	"users":          {GroupResource{"user.openshift.io", "users"}, cluster},
}

// Groups that once held a built-in resource, or serve it as well. They do not say where it
// belongs: a Deployment may still be stored as extensions/v1beta1 if nobody has rewritten it
// since, and an Event is stored in the core group however it is written.
var formerGroups = map[string]bool{"extensions": true, "events.k8s.io": true}

// builtinsByName are the builtins by what they are.
var builtinsByName = byName()

func byName() map[GroupResource]builtin {
	m := make(map[GroupResource]builtin, len(builtins))
	for _, b := range builtins {
		m[b.GroupResource] = b
	}
	return m
}

// IsBuiltin reports whether a resource is one that Kubernetes or OpenShift has, and no custom one.
func IsBuiltin(r GroupResource) bool { return builtinsByName[r].Resource != "" }

// internals are what API servers keep of themselves: objects without a name, which no client of
// the API can ask for. They are written past the transformers of the EncryptionConfiguration, as
// the storage factory makes their storage, and not the RESTOptionsGetter, which alone has the
// transformers: no entry encrypts them, whatever its wildcard says. (Up to Kubernetes 1.25, which
// had no wildcards, the factory had the transformers, and ranges were stored as services are.)
//
// What else API servers write without a transformer is no object: "compact_rev_key", which lies
// under no prefix. They read PREFIX/health, and write nothing there. Services, Leases, Events and
// custom resources are stored as all others.
//
// Source, in kubernetes/kubernetes and k8s.io/apiserver v0.37.2:
//
//	masterleases      createLeaseReconciler in pkg/controlplane/instance.go (before 1.37: in the same file)
//	peerserverleases  CreatePeerEndpointLeaseReconciler in pkg/controlplane/apiserver
//	ranges            newServiceIPAllocators in pkg/registry/core/rest/storage_core.go
//	transformers      CreateRESTOptionsGetter and transformerStorageFactory in pkg/server/options/etcd.go
//	compact_rev_key   pkg/storage/etcd3/compact.go
var internals = map[GroupResource]bool{
	{"", "masterleases"}:     true,
	{"", "peerserverleases"}: true,
	{"", "ranges"}:           true,
}

// IsInternal reports whether a resource is one that API servers keep of themselves, in objects
// without a name, which none of them ever encrypts.
func IsInternal(r GroupResource) bool { return internals[r] }
