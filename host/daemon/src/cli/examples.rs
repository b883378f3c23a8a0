//! What the help ends with: examples to copy, and what to know before.

pub(super) const FIRST_STEPS: &str = "\
First steps, on the first host:
  understudy cluster init --host alpha
  understudy cluster invite --host beta --out beta.bundle     then carry it to beta (scp)
  understudy config check && understudy run
and, once beta has joined and runs:
  understudy bootstrap redis                                  the service's very first start
  understudy status

Exit codes: 0 ok, 1 refused or failed, 2 usage, 69 daemon unreachable, 75 timed out waiting, 78 configuration.";

pub(super) const RUN: &str = "\
Examples:
  understudy run
  understudy run --config /etc/understudy/understudy.toml
  RUST_LOG=debug understudy run

Stops in order on SIGTERM; the servers go on. Exit code 78 means that the configuration is wrong: restarting won't help.";

pub(super) const CLUSTER: &str = "\
Examples:
  understudy cluster init --host alpha                        once, on the first host
  understudy cluster invite --host beta --out beta.bundle     on the first host, for each other one
  scp beta.bundle beta: && rm beta.bundle
  understudy cluster join --from beta.bundle                  on beta
  understudy cluster show                                     fingerprints must be equal on all hosts

A bundle holds beta's private key: who has it is beta. It is refused a day after it was made.";

pub(super) const ADDRESS: &str = "\
Examples:
  understudy address show
  understudy address show --json | jq '.[] | select(.verdict == \"leftover\")'
  understudy address clean                                    after `systemctl stop understudy`
  understudy address clean web

Needs CAP_NET_ADMIN (sudo). A daemon that runs looks after its addresses by itself.";

pub(super) const STATUS: &str = "\
Examples:
  understudy status
  understudy status redis
  understudy status --url http://192.0.2.2:7420 --token-file token
  understudy status --json | jq '.services[] | select(.active == null) | .service'";

pub(super) const TAKEOVER: &str = "\
Examples:
  understudy takeover redis --reason 'kernel update' --wait
  understudy takeover redis --to beta
  understudy takeover redis --to beta --override-vetoes --reason 'the 50 MB of lag may be lost'
  understudy takeover redis --dry-run        what would come of it: who would take it, how long clients would wait
  understudy takeover redis --confirm-stopped alpha --reason 'alpha: power off, seen by Kim'
  understudy takeover redis --force --reason 'nobody holds it, and the newest data is here'
  understudy takeover redis --override-stay-down --confirm-stopped alpha --reason 'alpha burnt, this disk must do'

The last three take the service on the host that is asked, by force; there is no other way around the protocol.
--confirm-stopped is for a host that is silent. Look first: switch it off, or pull its cable. A host that still serves while
you confirm that it is stopped means two active hosts, and data that differs.";

pub(super) const GIVEBACK: &str = "\
Examples:
  understudy giveback redis --dry-run        what would come of it
  understudy giveback redis
  understudy giveback redis --wait --timeout 60";

pub(super) const CURE: &str = "\
Example, on the host that was at fault:
  understudy cure redis

Probes say the same by themselves once they were healthy for the hold time. After it the host comes back as a standby.";

pub(super) const PAUSE: &str = "\
Examples:
  understudy pause redis --reason 'looking for the leak'
  understudy pause --host --reason 'new disk in alpha' --for 2h       on alpha
  understudy pause --all --reason 'new switch' --for 30m

While paused, no takeover and no giveback is begun by itself; faults are told as ever, and your own orders are carried
out. A fault that says when the server must be down is obeyed: it is shut down in order, and nobody takes over.";

pub(super) const UNPAUSE: &str = "\
Examples:
  understudy unpause redis            also after the flap guard has stopped it from moving
  understudy unpause --host           on the host that is paused
  understudy unpause --all";

pub(super) const CANCEL: &str = "\
Example:
  understudy cancel redis

After the release there is no way back: let it finish, then `understudy giveback redis`.";

pub(super) const BOOTSTRAP: &str = "\
Example:
  understudy bootstrap redis --wait

Once in a service's life, on the host that has the data. All other candidates must be running and reachable: nobody
guesses who has the right data.";

pub(super) const REQUESTS: &str = "\
Examples:
  understudy requests                                  of the last takeover
  understudy requests --service redis --outcome lost   what nobody can account for
  understudy requests 9f3a01c4-12 --state cut
  understudy requests --json | jq '.items | length'";

pub(super) const BUNDLE: &str = "\
Examples:
  understudy bundle > takeover.json                  of the last takeover
  understudy bundle 9f3a01c4-12 > takeover.json
  understudy bundle --service redis | understudy verify -

The other hosts are asked for their halves. One that can't be reached is named as absent.";

pub(super) const VERIFY: &str = "\
Examples:
  understudy verify takeover.json --ca ca.pem
  understudy verify takeover.json --json | jq '.checks[] | select(.result != \"holds\")'

Exit codes: 0 everything was checked and holds; 1 something does not hold, or it is no bundle; 3 what could be checked
holds, and something could not be checked: one host's half is missing, for example, or nobody vouches for the authority.";

pub(super) const HISTORY: &str = "\
Examples:
  understudy history
  understudy history --service redis -n 200
  understudy history --follow
  understudy history --host beta";

pub(super) const FSM: &str = "\
Examples:
  understudy fsm > protocol.mmd       a Mermaid state diagram
  understudy fsm --table | less       every row, with its reason";

pub(super) const CONFIG_CHECK: &str = "\
Examples:
  understudy config check
  understudy config check --config ./understudy.toml --text-only";
