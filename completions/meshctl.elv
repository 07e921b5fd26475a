
use builtin;
use str;

set edit:completion:arg-completer[meshctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'meshctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'meshctl'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand demo 'Show the whole mesh on this machine, from an empty sandbox to live figures'
            cand sandbox 'Run a cluster on this machine, without Docker or Kubernetes'
            cand install 'Install the mesh into a cluster, or finish or renew an installation'
            cand upgrade 'Bring the mesh in a cluster to this version'
            cand uninstall 'Remove the mesh from a cluster'
            cand check 'Say whether the mesh is well, and what to do if not'
            cand inject 'Give running workloads, or YAML, a sidecar'
            cand uninject 'Give running workloads, or YAML, a sidecar'
            cand mtls 'Verify that calls are encrypted, and decide whether plaintext is taken'
            cand identity 'Show who a workload is, with the certificate that it presents'
            cand policy 'Ask what authorization policies decide'
            cand proxy 'Look into sidecars: state and cost, configuration, logs'
            cand canary 'Shift traffic step by step to another version, and back if it does badly'
            cand fault 'Delay or abort requests on purpose'
            cand top 'Show live rate, success and latency of every call'
            cand stat 'Show the figures of services, workloads, namespaces, routes or pods'
            cand edges 'Show who calls whom, and how it is secured'
            cand describe 'Show everything that is in force for a service, and where each comes from'
            cand analyze 'Find mistakes in configuration: in the cluster, or in files before they are applied'
            cand version 'Show the versions of this program and of the mesh in the cluster'
            cand completion 'Print a completion script for a shell'
            cand image 'Save or push the image that carries the mesh'
            cand app 'A small server and a small client, to try a mesh with'
            cand __complete 'Names that complete a command line, for shells'
            cand probe 'Connect in good and bad ways, from inside a sidecar''s container'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;demo'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --keep 'Leave the sandbox running at the end, to go on by hand'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand start 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
            cand stop 'Stop a sandbox; nothing of it is left'
            cand status 'Show which sandboxes run; exit 1 when none does'
            cand kubeconfig 'Print a sandbox''s kubeconfig, or where it is, or make it usable everywhere'
            cand logs 'Print what the sandbox''s node has logged'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;sandbox;start'= {
            cand --name 'Which sandbox'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -d 'Leave it running in the background'
            cand --detach 'Leave it running in the background'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox;stop'= {
            cand --name 'Which sandbox'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox;status'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox;kubeconfig'= {
            cand --name 'Which sandbox'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --path 'Only print where the file is'
            cand --merge 'Put it into the user''s kubeconfig, as its current context'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox;logs'= {
            cand --name 'Which sandbox'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -f 'Go on until Ctrl-C'
            cand --follow 'Go on until Ctrl-C'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;sandbox;help'= {
            cand start 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
            cand stop 'Stop a sandbox; nothing of it is left'
            cand status 'Show which sandboxes run; exit 1 when none does'
            cand kubeconfig 'Print a sandbox''s kubeconfig, or where it is, or make it usable everywhere'
            cand logs 'Print what the sandbox''s node has logged'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;sandbox;help;start'= {
        }
        &'meshctl;sandbox;help;stop'= {
        }
        &'meshctl;sandbox;help;status'= {
        }
        &'meshctl;sandbox;help;kubeconfig'= {
        }
        &'meshctl;sandbox;help;logs'= {
        }
        &'meshctl;sandbox;help;help'= {
        }
        &'meshctl;install'= {
            cand --profile 'Where to start from; forgets what was chosen before'
            cand -f 'Values from a YAML file; may be repeated'
            cand --values 'Values from a YAML file; may be repeated'
            cand --set 'A single value, such as controller.replicas=3; may be repeated'
            cand --image 'Image of controller and sidecars [default: the one that belongs to this program]'
            cand --image-pull-secret 'Secrets by which nodes pull the image, where its registry is private'
            cand --trust-domain 'Name that identities begin with: spiffe://NAME/… [default: cluster.local]'
            cand --trust-anchors 'Certificates that all of the mesh trusts, PEM'
            cand --issuer-cert 'Certificate that signs workloads, signed by a trust anchor, PEM'
            cand --issuer-key 'Its private key, PEM'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --crds-only 'Apply the resource definitions, and nothing else'
            cand --skip-crds 'Leave the resource definitions to somebody else'
            cand --dry-run 'Say what would be applied, and apply nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'meshctl;upgrade'= {
            cand --profile 'Where to start from; forgets what was chosen before'
            cand -f 'Values from a YAML file; may be repeated'
            cand --values 'Values from a YAML file; may be repeated'
            cand --set 'A single value, such as controller.replicas=3; may be repeated'
            cand --image 'Image of controller and sidecars [default: the one that belongs to this program]'
            cand --image-pull-secret 'Secrets by which nodes pull the image, where its registry is private'
            cand --trust-domain 'Name that identities begin with: spiffe://NAME/… [default: cluster.local]'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --restart-workloads 'Restart workloads with old sidecars, one after the other'
            cand --dry-run 'Say what would be done, and do nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'meshctl;uninstall'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --force 'Also while pods with sidecars remain; they keep working until they are restarted'
            cand --dry-run 'Say what would be removed, and remove nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;check'= {
            cand --wait 'Try again for so long until nothing is wrong'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --pre 'Whether the mesh can be installed, instead'
            cand --proxy 'Also ask every sidecar what it has in force'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;inject'= {
            cand --image 'Image of the sidecar that --manual writes [default: the one that belongs to this program]'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --no-wait 'Do not wait for the rollout'
            cand --replace-unready 'Delete pods that are not ready where a stateful set waits for them, and would for ever'
            cand --dry-run 'Say what would be changed, and change nothing'
            cand --manual 'Write the sidecar itself into YAML, instead of asking the webhook for it'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;uninject'= {
            cand --image 'Image of the sidecar that --manual writes [default: the one that belongs to this program]'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --no-wait 'Do not wait for the rollout'
            cand --replace-unready 'Delete pods that are not ready where a stateful set waits for them, and would for ever'
            cand --dry-run 'Say what would be changed, and change nothing'
            cand --manual 'Write the sidecar itself into YAML, instead of asking the webhook for it'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;mtls'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand verify 'Show for every call whether it is secured, and why not; exit 1 when one is not'
            cand strict 'Refuse plaintext, for a namespace or a workload'
            cand permissive 'Take plaintext besides mutual TLS, for a namespace or a workload'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;mtls;verify'= {
            cand -t 'Span of time that the figures cover'
            cand --window 'Span of time that the figures cover'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand --probe 'Open real connections, good and bad ones'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;mtls;strict'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be written, and write nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;mtls;permissive'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be written, and write nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;mtls;help'= {
            cand verify 'Show for every call whether it is secured, and why not; exit 1 when one is not'
            cand strict 'Refuse plaintext, for a namespace or a workload'
            cand permissive 'Take plaintext besides mutual TLS, for a namespace or a workload'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;mtls;help;verify'= {
        }
        &'meshctl;mtls;help;strict'= {
        }
        &'meshctl;mtls;help;permissive'= {
        }
        &'meshctl;mtls;help;help'= {
        }
        &'meshctl;identity'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --pem 'Print the certificate chain itself, PEM'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;policy'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand test 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;policy;test'= {
            cand --from 'Who calls: NAMESPACE/sa/ACCOUNT; nobody in particular when absent'
            cand --to 'Whom: svc/NAME'
            cand --port 'Port of the service [default: its first]'
            cand --method 'Method of the request'
            cand --path 'Path that is asked for'
            cand --host 'Host that is asked for [default: the service]'
            cand --header 'A header; may be repeated'
            cand --source-ip 'Address that the caller has'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;policy;help'= {
            cand test 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;policy;help;test'= {
        }
        &'meshctl;policy;help;help'= {
        }
        &'meshctl;proxy'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand status 'Show every sidecar: version, configuration, certificate, and what it costs'
            cand config 'Print the configuration that is in force in a sidecar, as it tells it'
            cand logs 'Print what sidecars log'
            cand log-level 'Change what sidecars log, until they restart'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;proxy;status'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;proxy;config'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;proxy;logs'= {
            cand --tail 'Only so many of the last lines'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -f 'Go on until Ctrl-C'
            cand --follow 'Go on until Ctrl-C'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;proxy;log-level'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say which would be changed, and change none'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;proxy;help'= {
            cand status 'Show every sidecar: version, configuration, certificate, and what it costs'
            cand config 'Print the configuration that is in force in a sidecar, as it tells it'
            cand logs 'Print what sidecars log'
            cand log-level 'Change what sidecars log, until they restart'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;proxy;help;status'= {
        }
        &'meshctl;proxy;help;config'= {
        }
        &'meshctl;proxy;help;logs'= {
        }
        &'meshctl;proxy;help;log-level'= {
        }
        &'meshctl;proxy;help;help'= {
        }
        &'meshctl;canary'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand shift 'Shift a service''s traffic to another version, step by step'
            cand status 'Show one canary'
            cand list 'Show all canaries'
            cand watch 'Follow a canary until it ends; exit 1 when it was rolled back'
            cand pause 'Stay at the current step'
            cand resume 'Go on'
            cand promote 'Go to the last step now'
            cand abort 'Put all traffic back now, also after completion'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;canary;shift'= {
            cand --to 'Who gets the traffic: svc/NAME, deploy/NAME or version=NAME'
            cand --from 'Who has it now [default: the service itself, or its other version]'
            cand --steps 'Rising percentages'
            cand --interval 'How long each step lasts at least'
            cand --min-requests 'Requests that the new side must have seen before a step is judged'
            cand --max-error-rate 'Highest share of failures on the new side, in percent [default: 5, unless there is another limit]'
            cand --max-p99 'Highest 99th percentile of latency on the new side'
            cand --max-error-increase 'Points by which the share of failures may be above the old side''s'
            cand --max-p99-ratio 'How many times the old side''s 99th percentile the new one''s may be'
            cand --match 'Requests that go to the new side whatever its percentage: header:NAME=VALUE; several must all be there'
            cand --pause-at 'Steps that wait for `canary resume` once they have passed'
            cand --deadline 'Go back when a step did not get enough requests for so long'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --compare 'Go back when the new side does worse than the old one: 1 point more errors, 1.5 times the p99'
            cand --detach 'Start it and leave'
            cand --dry-run 'Print what would be written, and write nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;status'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;list'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;watch'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;pause'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be done, and do nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;resume'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be done, and do nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;promote'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be done, and do nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;abort'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Say what would be done, and do nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;canary;help'= {
            cand shift 'Shift a service''s traffic to another version, step by step'
            cand status 'Show one canary'
            cand list 'Show all canaries'
            cand watch 'Follow a canary until it ends; exit 1 when it was rolled back'
            cand pause 'Stay at the current step'
            cand resume 'Go on'
            cand promote 'Go to the last step now'
            cand abort 'Put all traffic back now, also after completion'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;canary;help;shift'= {
        }
        &'meshctl;canary;help;status'= {
        }
        &'meshctl;canary;help;list'= {
        }
        &'meshctl;canary;help;watch'= {
        }
        &'meshctl;canary;help;pause'= {
        }
        &'meshctl;canary;help;resume'= {
        }
        &'meshctl;canary;help;promote'= {
        }
        &'meshctl;canary;help;abort'= {
        }
        &'meshctl;canary;help;help'= {
        }
        &'meshctl;fault'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand inject 'Delay or abort a share of the requests to a service, for a while'
            cand list 'Show the faults in force'
            cand clear 'End faults now'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;fault;inject'= {
            cand --abort 'Answer with this status instead of calling: 503, grpc:UNAVAILABLE'
            cand --delay 'Hold requests back for this long'
            cand --percent 'Share of requests'
            cand --duration 'When it ends by itself'
            cand --from 'Only requests of this workload: deploy/client, of another namespace front/deploy/client'
            cand --path 'Only requests whose path begins with this'
            cand --method 'Only requests of this method'
            cand --header 'Only requests with this header; may be repeated'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --dry-run 'Print what would be written, and write nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;fault;list'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;fault;clear'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --all 'All services of the namespace'
            cand --dry-run 'Say what would be ended, and end nothing'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;fault;help'= {
            cand inject 'Delay or abort a share of the requests to a service, for a while'
            cand list 'Show the faults in force'
            cand clear 'End faults now'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;fault;help;inject'= {
        }
        &'meshctl;fault;help;list'= {
        }
        &'meshctl;fault;help;clear'= {
        }
        &'meshctl;fault;help;help'= {
        }
        &'meshctl;top'= {
            cand -t 'Span of time that the figures cover'
            cand --window 'Span of time that the figures cover'
            cand --interval 'Time between two looks'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand --once 'Show the figures once and leave'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;stat'= {
            cand --to 'Only requests to this: svc/NAME, deploy/NAME, ns/NAME; of one namespace, shop/svc/NAME'
            cand --from 'Only requests from this: deploy/NAME, ns/NAME; of one namespace, shop/deploy/NAME'
            cand -t 'Span of time that the figures cover'
            cand --window 'Span of time that the figures cover'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;edges'= {
            cand -t 'Span of time that the figures cover'
            cand --window 'Span of time that the figures cover'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;describe'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;analyze'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -A 'All namespaces'
            cand --all-namespaces 'All namespaces'
            cand --offline 'Without a cluster: only what stands in the files is there'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;version'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --client 'Do not ask the cluster'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;completion'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;image'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand save 'Write the image as an archive that containerd, Docker and kind take'
            cand push 'Push the image to a registry'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;image;save'= {
            cand --tag 'Name of the image'
            cand --executable 'The executable to put into it [default: this one]'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;image;push'= {
            cand --tag 'Name of the image'
            cand --executable 'The executable to put into it [default: this one]'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand --insecure 'Speak HTTP without TLS'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;image;help'= {
            cand save 'Write the image as an archive that containerd, Docker and kind take'
            cand push 'Push the image to a registry'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;image;help;save'= {
        }
        &'meshctl;image;help;push'= {
        }
        &'meshctl;image;help;help'= {
        }
        &'meshctl;app'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand server 'Answer HTTP requests with who one is and who called'
            cand client 'Send HTTP requests and count the answers'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;app;server'= {
            cand --port 'Port to listen on, on all addresses'
            cand --protocol 'What to speak'
            cand --name 'Name to answer with'
            cand --version 'Version to answer with'
            cand --fail-percent 'Share of requests to answer with 500'
            cand --delay 'How long to think before each answer'
            cand --linger 'How long to go on as before when told to end: until callers have heard of it'
            cand --call 'Whom to call before each answer: http://…, grpc://HOST:PORT, tcp://HOST:PORT; may be repeated'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;app;client'= {
            cand --url 'What to call'
            cand --rate 'Requests in a second'
            cand --body 'Send this with each request, as a POST'
            cand --count 'End after so many requests'
            cand --method 'Method of every request'
            cand --header 'Headers of every request'
            cand --request-timeout 'When to give a request up'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;app;help'= {
            cand server 'Answer HTTP requests with who one is and who called'
            cand client 'Send HTTP requests and count the answers'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;app;help;server'= {
        }
        &'meshctl;app;help;client'= {
        }
        &'meshctl;app;help;help'= {
        }
        &'meshctl;__complete'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;probe'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
            cand identity 'Print this pod''s certificates'
            cand connect 'Connect in every way'
            cand listens 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;probe;identity'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;probe;connect'= {
            cand --open 'Ports that take plaintext: they are only connected to in plaintext, because a request would be counted as a call'
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;probe;listens'= {
            cand --kubeconfig 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]'
            cand --context 'Context of the kubeconfig [default: its current context]'
            cand -n 'Namespace [default: the context''s]'
            cand --namespace 'Namespace [default: the context''s]'
            cand --mesh-namespace 'Namespace of the mesh itself'
            cand -o 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --output 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable'
            cand --color 'When to use colour; NO_COLOR is honoured'
            cand --timeout 'How long to wait for something to become ready'
            cand -q 'Only data and errors'
            cand --quiet 'Only data and errors'
            cand -v 'More about what is going on; twice for even more'
            cand --verbose 'More about what is going on; twice for even more'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'meshctl;probe;help'= {
            cand identity 'Print this pod''s certificates'
            cand connect 'Connect in every way'
            cand listens 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;probe;help;identity'= {
        }
        &'meshctl;probe;help;connect'= {
        }
        &'meshctl;probe;help;listens'= {
        }
        &'meshctl;probe;help;help'= {
        }
        &'meshctl;help'= {
            cand demo 'Show the whole mesh on this machine, from an empty sandbox to live figures'
            cand sandbox 'Run a cluster on this machine, without Docker or Kubernetes'
            cand install 'Install the mesh into a cluster, or finish or renew an installation'
            cand upgrade 'Bring the mesh in a cluster to this version'
            cand uninstall 'Remove the mesh from a cluster'
            cand check 'Say whether the mesh is well, and what to do if not'
            cand inject 'Give running workloads, or YAML, a sidecar'
            cand uninject 'Give running workloads, or YAML, a sidecar'
            cand mtls 'Verify that calls are encrypted, and decide whether plaintext is taken'
            cand identity 'Show who a workload is, with the certificate that it presents'
            cand policy 'Ask what authorization policies decide'
            cand proxy 'Look into sidecars: state and cost, configuration, logs'
            cand canary 'Shift traffic step by step to another version, and back if it does badly'
            cand fault 'Delay or abort requests on purpose'
            cand top 'Show live rate, success and latency of every call'
            cand stat 'Show the figures of services, workloads, namespaces, routes or pods'
            cand edges 'Show who calls whom, and how it is secured'
            cand describe 'Show everything that is in force for a service, and where each comes from'
            cand analyze 'Find mistakes in configuration: in the cluster, or in files before they are applied'
            cand version 'Show the versions of this program and of the mesh in the cluster'
            cand completion 'Print a completion script for a shell'
            cand image 'Save or push the image that carries the mesh'
            cand app 'A small server and a small client, to try a mesh with'
            cand __complete 'Names that complete a command line, for shells'
            cand probe 'Connect in good and bad ways, from inside a sidecar''s container'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'meshctl;help;demo'= {
        }
        &'meshctl;help;sandbox'= {
            cand start 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
            cand stop 'Stop a sandbox; nothing of it is left'
            cand status 'Show which sandboxes run; exit 1 when none does'
            cand kubeconfig 'Print a sandbox''s kubeconfig, or where it is, or make it usable everywhere'
            cand logs 'Print what the sandbox''s node has logged'
        }
        &'meshctl;help;sandbox;start'= {
        }
        &'meshctl;help;sandbox;stop'= {
        }
        &'meshctl;help;sandbox;status'= {
        }
        &'meshctl;help;sandbox;kubeconfig'= {
        }
        &'meshctl;help;sandbox;logs'= {
        }
        &'meshctl;help;install'= {
        }
        &'meshctl;help;upgrade'= {
        }
        &'meshctl;help;uninstall'= {
        }
        &'meshctl;help;check'= {
        }
        &'meshctl;help;inject'= {
        }
        &'meshctl;help;uninject'= {
        }
        &'meshctl;help;mtls'= {
            cand verify 'Show for every call whether it is secured, and why not; exit 1 when one is not'
            cand strict 'Refuse plaintext, for a namespace or a workload'
            cand permissive 'Take plaintext besides mutual TLS, for a namespace or a workload'
        }
        &'meshctl;help;mtls;verify'= {
        }
        &'meshctl;help;mtls;strict'= {
        }
        &'meshctl;help;mtls;permissive'= {
        }
        &'meshctl;help;identity'= {
        }
        &'meshctl;help;policy'= {
            cand test 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
        }
        &'meshctl;help;policy;test'= {
        }
        &'meshctl;help;proxy'= {
            cand status 'Show every sidecar: version, configuration, certificate, and what it costs'
            cand config 'Print the configuration that is in force in a sidecar, as it tells it'
            cand logs 'Print what sidecars log'
            cand log-level 'Change what sidecars log, until they restart'
        }
        &'meshctl;help;proxy;status'= {
        }
        &'meshctl;help;proxy;config'= {
        }
        &'meshctl;help;proxy;logs'= {
        }
        &'meshctl;help;proxy;log-level'= {
        }
        &'meshctl;help;canary'= {
            cand shift 'Shift a service''s traffic to another version, step by step'
            cand status 'Show one canary'
            cand list 'Show all canaries'
            cand watch 'Follow a canary until it ends; exit 1 when it was rolled back'
            cand pause 'Stay at the current step'
            cand resume 'Go on'
            cand promote 'Go to the last step now'
            cand abort 'Put all traffic back now, also after completion'
        }
        &'meshctl;help;canary;shift'= {
        }
        &'meshctl;help;canary;status'= {
        }
        &'meshctl;help;canary;list'= {
        }
        &'meshctl;help;canary;watch'= {
        }
        &'meshctl;help;canary;pause'= {
        }
        &'meshctl;help;canary;resume'= {
        }
        &'meshctl;help;canary;promote'= {
        }
        &'meshctl;help;canary;abort'= {
        }
        &'meshctl;help;fault'= {
            cand inject 'Delay or abort a share of the requests to a service, for a while'
            cand list 'Show the faults in force'
            cand clear 'End faults now'
        }
        &'meshctl;help;fault;inject'= {
        }
        &'meshctl;help;fault;list'= {
        }
        &'meshctl;help;fault;clear'= {
        }
        &'meshctl;help;top'= {
        }
        &'meshctl;help;stat'= {
        }
        &'meshctl;help;edges'= {
        }
        &'meshctl;help;describe'= {
        }
        &'meshctl;help;analyze'= {
        }
        &'meshctl;help;version'= {
        }
        &'meshctl;help;completion'= {
        }
        &'meshctl;help;image'= {
            cand save 'Write the image as an archive that containerd, Docker and kind take'
            cand push 'Push the image to a registry'
        }
        &'meshctl;help;image;save'= {
        }
        &'meshctl;help;image;push'= {
        }
        &'meshctl;help;app'= {
            cand server 'Answer HTTP requests with who one is and who called'
            cand client 'Send HTTP requests and count the answers'
        }
        &'meshctl;help;app;server'= {
        }
        &'meshctl;help;app;client'= {
        }
        &'meshctl;help;__complete'= {
        }
        &'meshctl;help;probe'= {
            cand identity 'Print this pod''s certificates'
            cand connect 'Connect in every way'
            cand listens 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
        }
        &'meshctl;help;probe;identity'= {
        }
        &'meshctl;help;probe;connect'= {
        }
        &'meshctl;help;probe;listens'= {
        }
        &'meshctl;help;help'= {
        }
    ]
    $completions[$command]
}
