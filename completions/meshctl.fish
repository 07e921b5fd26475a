# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_meshctl_global_optspecs
    string join \n kubeconfig= context= n/namespace= mesh-namespace= o/output= color= q/quiet v/verbose timeout= y/yes h/help V/version
end

function __fish_meshctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_meshctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_meshctl_using_subcommand
    set -l cmd (__fish_meshctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c meshctl -n "__fish_meshctl_needs_command" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_needs_command" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_needs_command" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_needs_command" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_needs_command" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_needs_command" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_needs_command" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_needs_command" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_needs_command" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_needs_command" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_needs_command" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_needs_command" -s V -l version -d 'Print version'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "demo" -d 'Show the whole mesh on this machine, from an empty sandbox to live figures'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "sandbox" -d 'Run a cluster on this machine, without Docker or Kubernetes'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "install" -d 'Install the mesh into a cluster, or finish or renew an installation'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "upgrade" -d 'Bring the mesh in a cluster to this version'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "uninstall" -d 'Remove the mesh from a cluster'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "check" -d 'Say whether the mesh is well, and what to do if not'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "inject" -d 'Give running workloads, or YAML, a sidecar'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "uninject" -d 'Give running workloads, or YAML, a sidecar'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "mtls" -d 'Verify that calls are encrypted, and decide whether plaintext is taken'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "identity" -d 'Show who a workload is, with the certificate that it presents'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "policy" -d 'Ask what authorization policies decide'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "proxy" -d 'Look into sidecars: state and cost, configuration, logs'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "canary" -d 'Shift traffic step by step to another version, and back if it does badly'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "fault" -d 'Delay or abort requests on purpose'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "top" -d 'Show live rate, success and latency of every call'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "stat" -d 'Show the figures of services, workloads, namespaces, routes or pods'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "edges" -d 'Show who calls whom, and how it is secured'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "describe" -d 'Show everything that is in force for a service, and where each comes from'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "analyze" -d 'Find mistakes in configuration: in the cluster, or in files before they are applied'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "version" -d 'Show the versions of this program and of the mesh in the cluster'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "completion" -d 'Print a completion script for a shell'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "image" -d 'Save or push the image that carries the mesh'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "app" -d 'A small server and a small client, to try a mesh with'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "__complete" -d 'Names that complete a command line, for shells'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "probe" -d 'Connect in good and bad ways, from inside a sidecar\'s container'
complete -c meshctl -n "__fish_meshctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -l keep -d 'Leave the sandbox running at the end, to go on by hand'
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand demo" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "start" -d 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "stop" -d 'Stop a sandbox; nothing of it is left'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "status" -d 'Show which sandboxes run; exit 1 when none does'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "kubeconfig" -d 'Print a sandbox\'s kubeconfig, or where it is, or make it usable everywhere'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "logs" -d 'Print what the sandbox\'s node has logged'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and not __fish_seen_subcommand_from start stop status kubeconfig logs help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l name -d 'Which sandbox' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s d -l detach -d 'Leave it running in the background'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l name -d 'Which sandbox' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l name -d 'Which sandbox' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l path -d 'Only print where the file is'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -l merge -d 'Put it into the user\'s kubeconfig, as its current context'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from kubeconfig" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l name -d 'Which sandbox' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until Ctrl-C'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "start" -d 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "stop" -d 'Stop a sandbox; nothing of it is left'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show which sandboxes run; exit 1 when none does'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "kubeconfig" -d 'Print a sandbox\'s kubeconfig, or where it is, or make it usable everywhere'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Print what the sandbox\'s node has logged'
complete -c meshctl -n "__fish_meshctl_using_subcommand sandbox; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l profile -d 'Where to start from; forgets what was chosen before' -r -f -a "default\t'One controller; enough for most clusters'
demo\t'Talks more about what it does, and asks for little'
ha\t'Three controllers on different nodes, kept from being evicted together'
minimal\t'As little memory as possible'"
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s f -l values -d 'Values from a YAML file; may be repeated' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l set -d 'A single value, such as controller.replicas=3; may be repeated' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l image -d 'Image of controller and sidecars [default: the one that belongs to this program]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l image-pull-secret -d 'Secrets by which nodes pull the image, where its registry is private' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l trust-domain -d 'Name that identities begin with: spiffe://NAME/… [default: cluster.local]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l trust-anchors -d 'Certificates that all of the mesh trusts, PEM' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l issuer-cert -d 'Certificate that signs workloads, signed by a trust anchor, PEM' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l issuer-key -d 'Its private key, PEM' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l crds-only -d 'Apply the resource definitions, and nothing else'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l skip-crds -d 'Leave the resource definitions to somebody else'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -l dry-run -d 'Say what would be applied, and apply nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l profile -d 'Where to start from; forgets what was chosen before' -r -f -a "default\t'One controller; enough for most clusters'
demo\t'Talks more about what it does, and asks for little'
ha\t'Three controllers on different nodes, kept from being evicted together'
minimal\t'As little memory as possible'"
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s f -l values -d 'Values from a YAML file; may be repeated' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l set -d 'A single value, such as controller.replicas=3; may be repeated' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l image -d 'Image of controller and sidecars [default: the one that belongs to this program]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l image-pull-secret -d 'Secrets by which nodes pull the image, where its registry is private' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l trust-domain -d 'Name that identities begin with: spiffe://NAME/… [default: cluster.local]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l restart-workloads -d 'Restart workloads with old sidecars, one after the other'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -l dry-run -d 'Say what would be done, and do nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand upgrade" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l force -d 'Also while pods with sidecars remain; they keep working until they are restarted'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -l dry-run -d 'Say what would be removed, and remove nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninstall" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l wait -d 'Try again for so long until nothing is wrong' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l pre -d 'Whether the mesh can be installed, instead'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -l proxy -d 'Also ask every sidecar what it has in force'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand check" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l image -d 'Image of the sidecar that --manual writes [default: the one that belongs to this program]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l no-wait -d 'Do not wait for the rollout'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l replace-unready -d 'Delete pods that are not ready where a stateful set waits for them, and would for ever'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l dry-run -d 'Say what would be changed, and change nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -l manual -d 'Write the sidecar itself into YAML, instead of asking the webhook for it'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand inject" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l image -d 'Image of the sidecar that --manual writes [default: the one that belongs to this program]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l no-wait -d 'Do not wait for the rollout'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l replace-unready -d 'Delete pods that are not ready where a stateful set waits for them, and would for ever'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l dry-run -d 'Say what would be changed, and change nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -l manual -d 'Write the sidecar itself into YAML, instead of asking the webhook for it'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand uninject" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -f -a "verify" -d 'Show for every call whether it is secured, and why not; exit 1 when one is not'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -f -a "strict" -d 'Refuse plaintext, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -f -a "permissive" -d 'Take plaintext besides mutual TLS, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and not __fish_seen_subcommand_from verify strict permissive help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s t -l window -d 'Span of time that the figures cover' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -l probe -d 'Open real connections, good and bad ones'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -l dry-run -d 'Say what would be written, and write nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from strict" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -l dry-run -d 'Say what would be written, and write nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from permissive" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Show for every call whether it is secured, and why not; exit 1 when one is not'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from help" -f -a "strict" -d 'Refuse plaintext, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from help" -f -a "permissive" -d 'Take plaintext besides mutual TLS, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand mtls; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -l pem -d 'Print the certificate chain itself, PEM'
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand identity" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -f -a "test" -d 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and not __fish_seen_subcommand_from test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l from -d 'Who calls: NAMESPACE/sa/ACCOUNT; nobody in particular when absent' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l to -d 'Whom: svc/NAME' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l port -d 'Port of the service [default: its first]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l method -d 'Method of the request' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l path -d 'Path that is asked for' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l host -d 'Host that is asked for [default: the service]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l header -d 'A header; may be repeated' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l source-ip -d 'Address that the caller has' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "test" -d 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
complete -c meshctl -n "__fish_meshctl_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -f -a "status" -d 'Show every sidecar: version, configuration, certificate, and what it costs'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -f -a "config" -d 'Print the configuration that is in force in a sidecar, as it tells it'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -f -a "logs" -d 'Print what sidecars log'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -f -a "log-level" -d 'Change what sidecars log, until they restart'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and not __fish_seen_subcommand_from status config logs log-level help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from config" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l tail -d 'Only so many of the last lines' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until Ctrl-C'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -l dry-run -d 'Say which would be changed, and change none'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from log-level" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show every sidecar: version, configuration, certificate, and what it costs'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "config" -d 'Print the configuration that is in force in a sidecar, as it tells it'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "logs" -d 'Print what sidecars log'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "log-level" -d 'Change what sidecars log, until they restart'
complete -c meshctl -n "__fish_meshctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "shift" -d 'Shift a service\'s traffic to another version, step by step'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "status" -d 'Show one canary'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "list" -d 'Show all canaries'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "watch" -d 'Follow a canary until it ends; exit 1 when it was rolled back'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "pause" -d 'Stay at the current step'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "resume" -d 'Go on'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "promote" -d 'Go to the last step now'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "abort" -d 'Put all traffic back now, also after completion'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and not __fish_seen_subcommand_from shift status list watch pause resume promote abort help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l to -d 'Who gets the traffic: svc/NAME, deploy/NAME or version=NAME' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l from -d 'Who has it now [default: the service itself, or its other version]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l steps -d 'Rising percentages' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l interval -d 'How long each step lasts at least' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l min-requests -d 'Requests that the new side must have seen before a step is judged' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l max-error-rate -d 'Highest share of failures on the new side, in percent [default: 5, unless there is another limit]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l max-p99 -d 'Highest 99th percentile of latency on the new side' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l max-error-increase -d 'Points by which the share of failures may be above the old side\'s' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l max-p99-ratio -d 'How many times the old side\'s 99th percentile the new one\'s may be' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l match -d 'Requests that go to the new side whatever its percentage: header:NAME=VALUE; several must all be there' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l pause-at -d 'Steps that wait for `canary resume` once they have passed' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l deadline -d 'Go back when a step did not get enough requests for so long' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l compare -d 'Go back when the new side does worse than the old one: 1 point more errors, 1.5 times the p99'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l detach -d 'Start it and leave'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -l dry-run -d 'Print what would be written, and write nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from shift" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -l dry-run -d 'Say what would be done, and do nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -l dry-run -d 'Say what would be done, and do nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -l dry-run -d 'Say what would be done, and do nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from promote" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -l dry-run -d 'Say what would be done, and do nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from abort" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "shift" -d 'Shift a service\'s traffic to another version, step by step'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show one canary'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show all canaries'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "watch" -d 'Follow a canary until it ends; exit 1 when it was rolled back'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Stay at the current step'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Go on'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "promote" -d 'Go to the last step now'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "abort" -d 'Put all traffic back now, also after completion'
complete -c meshctl -n "__fish_meshctl_using_subcommand canary; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -f -a "inject" -d 'Delay or abort a share of the requests to a service, for a while'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -f -a "list" -d 'Show the faults in force'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -f -a "clear" -d 'End faults now'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and not __fish_seen_subcommand_from inject list clear help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l abort -d 'Answer with this status instead of calling: 503, grpc:UNAVAILABLE' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l delay -d 'Hold requests back for this long' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l percent -d 'Share of requests' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l duration -d 'When it ends by itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l from -d 'Only requests of this workload: deploy/client, of another namespace front/deploy/client' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l path -d 'Only requests whose path begins with this' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l method -d 'Only requests of this method' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l header -d 'Only requests with this header; may be repeated' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -l dry-run -d 'Print what would be written, and write nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from inject" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l all -d 'All services of the namespace'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -l dry-run -d 'Say what would be ended, and end nothing'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from help" -f -a "inject" -d 'Delay or abort a share of the requests to a service, for a while'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show the faults in force'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from help" -f -a "clear" -d 'End faults now'
complete -c meshctl -n "__fish_meshctl_using_subcommand fault; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s t -l window -d 'Span of time that the figures cover' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l interval -d 'Time between two looks' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -l once -d 'Show the figures once and leave'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand top" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l to -d 'Only requests to this: svc/NAME, deploy/NAME, ns/NAME; of one namespace, shop/svc/NAME' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l from -d 'Only requests from this: deploy/NAME, ns/NAME; of one namespace, shop/deploy/NAME' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s t -l window -d 'Span of time that the figures cover' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand stat" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s t -l window -d 'Span of time that the figures cover' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand edges" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand describe" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s A -l all-namespaces -d 'All namespaces'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -l offline -d 'Without a cluster: only what stands in the files is there'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand analyze" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -l client -d 'Do not ask the cluster'
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand completion" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -f -a "save" -d 'Write the image as an archive that containerd, Docker and kind take'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -f -a "push" -d 'Push the image to a registry'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and not __fish_seen_subcommand_from save push help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l tag -d 'Name of the image' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l executable -d 'The executable to put into it [default: this one]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l tag -d 'Name of the image' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l executable -d 'The executable to put into it [default: this one]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -l insecure -d 'Speak HTTP without TLS'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from help" -f -a "save" -d 'Write the image as an archive that containerd, Docker and kind take'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from help" -f -a "push" -d 'Push the image to a registry'
complete -c meshctl -n "__fish_meshctl_using_subcommand image; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -f -a "server" -d 'Answer HTTP requests with who one is and who called'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -f -a "client" -d 'Send HTTP requests and count the answers'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and not __fish_seen_subcommand_from server client help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l port -d 'Port to listen on, on all addresses' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l protocol -d 'What to speak' -r -f -a "http\t''
grpc\t''
tcp\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l name -d 'Name to answer with' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l version -d 'Version to answer with' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l fail-percent -d 'Share of requests to answer with 500' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l delay -d 'How long to think before each answer' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l linger -d 'How long to go on as before when told to end: until callers have heard of it' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l call -d 'Whom to call before each answer: http://…, grpc://HOST:PORT, tcp://HOST:PORT; may be repeated' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from server" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l url -d 'What to call' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l rate -d 'Requests in a second' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l body -d 'Send this with each request, as a POST' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l count -d 'End after so many requests' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l method -d 'Method of every request' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l header -d 'Headers of every request' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l request-timeout -d 'When to give a request up' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from client" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "server" -d 'Answer HTTP requests with who one is and who called'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "client" -d 'Send HTTP requests and count the answers'
complete -c meshctl -n "__fish_meshctl_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand __complete" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -f -a "identity" -d 'Print this pod\'s certificates'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -f -a "connect" -d 'Connect in every way'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -f -a "listens" -d 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and not __fish_seen_subcommand_from identity connect listens help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from identity" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l open -d 'Ports that take plaintext: they are only connected to in plaintext, because a request would be counted as a call' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from connect" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]' -r -F
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -l context -d 'Context of the kubeconfig [default: its current context]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -l mesh-namespace -d 'Namespace of the mesh itself' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s o -l output -d 'How data is printed: wide has more columns, short fewer lines; json and yaml are stable' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
short\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -l color -d 'When to use colour; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -l timeout -d 'How long to wait for something to become ready' -r
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s q -l quiet -d 'Only data and errors'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s v -l verbose -d 'More about what is going on; twice for even more'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s y -l yes -d 'Answer every question with yes'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from listens" -s h -l help -d 'Print help'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "identity" -d 'Print this pod\'s certificates'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "connect" -d 'Connect in every way'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "listens" -d 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
complete -c meshctl -n "__fish_meshctl_using_subcommand probe; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "demo" -d 'Show the whole mesh on this machine, from an empty sandbox to live figures'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "sandbox" -d 'Run a cluster on this machine, without Docker or Kubernetes'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "install" -d 'Install the mesh into a cluster, or finish or renew an installation'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "upgrade" -d 'Bring the mesh in a cluster to this version'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "uninstall" -d 'Remove the mesh from a cluster'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "check" -d 'Say whether the mesh is well, and what to do if not'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "inject" -d 'Give running workloads, or YAML, a sidecar'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "uninject" -d 'Give running workloads, or YAML, a sidecar'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "mtls" -d 'Verify that calls are encrypted, and decide whether plaintext is taken'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "identity" -d 'Show who a workload is, with the certificate that it presents'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "policy" -d 'Ask what authorization policies decide'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "proxy" -d 'Look into sidecars: state and cost, configuration, logs'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "canary" -d 'Shift traffic step by step to another version, and back if it does badly'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "fault" -d 'Delay or abort requests on purpose'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "top" -d 'Show live rate, success and latency of every call'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "stat" -d 'Show the figures of services, workloads, namespaces, routes or pods'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "edges" -d 'Show who calls whom, and how it is secured'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "describe" -d 'Show everything that is in force for a service, and where each comes from'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "analyze" -d 'Find mistakes in configuration: in the cluster, or in files before they are applied'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "version" -d 'Show the versions of this program and of the mesh in the cluster'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "completion" -d 'Print a completion script for a shell'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "image" -d 'Save or push the image that carries the mesh'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "app" -d 'A small server and a small client, to try a mesh with'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "__complete" -d 'Names that complete a command line, for shells'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "probe" -d 'Connect in good and bad ways, from inside a sidecar\'s container'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and not __fish_seen_subcommand_from demo sandbox install upgrade uninstall check inject uninject mtls identity policy proxy canary fault top stat edges describe analyze version completion image app __complete probe help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from sandbox" -f -a "start" -d 'Start a sandbox; it ends with Ctrl-C, or with `stop` when detached'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from sandbox" -f -a "stop" -d 'Stop a sandbox; nothing of it is left'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from sandbox" -f -a "status" -d 'Show which sandboxes run; exit 1 when none does'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from sandbox" -f -a "kubeconfig" -d 'Print a sandbox\'s kubeconfig, or where it is, or make it usable everywhere'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from sandbox" -f -a "logs" -d 'Print what the sandbox\'s node has logged'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from mtls" -f -a "verify" -d 'Show for every call whether it is secured, and why not; exit 1 when one is not'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from mtls" -f -a "strict" -d 'Refuse plaintext, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from mtls" -f -a "permissive" -d 'Take plaintext besides mutual TLS, for a namespace or a workload'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "test" -d 'Say whether a request would be allowed, and which policy decides; exit 1 when it is denied'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "status" -d 'Show every sidecar: version, configuration, certificate, and what it costs'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "config" -d 'Print the configuration that is in force in a sidecar, as it tells it'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "logs" -d 'Print what sidecars log'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "log-level" -d 'Change what sidecars log, until they restart'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "shift" -d 'Shift a service\'s traffic to another version, step by step'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "status" -d 'Show one canary'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "list" -d 'Show all canaries'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "watch" -d 'Follow a canary until it ends; exit 1 when it was rolled back'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "pause" -d 'Stay at the current step'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "resume" -d 'Go on'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "promote" -d 'Go to the last step now'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from canary" -f -a "abort" -d 'Put all traffic back now, also after completion'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from fault" -f -a "inject" -d 'Delay or abort a share of the requests to a service, for a while'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from fault" -f -a "list" -d 'Show the faults in force'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from fault" -f -a "clear" -d 'End faults now'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from image" -f -a "save" -d 'Write the image as an archive that containerd, Docker and kind take'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from image" -f -a "push" -d 'Push the image to a registry'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "server" -d 'Answer HTTP requests with who one is and who called'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "client" -d 'Send HTTP requests and count the answers'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "identity" -d 'Print this pod\'s certificates'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "connect" -d 'Connect in every way'
complete -c meshctl -n "__fish_meshctl_using_subcommand help; and __fish_seen_subcommand_from probe" -f -a "listens" -d 'Say whether anything listens in this pod; what the sidecar sends itself goes past it'
complete -c meshctl -a '(meshctl __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
