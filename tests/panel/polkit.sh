#!/usr/bin/env bash
# polkit.sh PROGRAM POLICY ANSWER COMMAND...: runs a command beside a polkit of its own, which has the policy, for that
# program, and answers as told: yes, no, or auth_admin, where nobody is there to be asked.
# It wants root, and namespaces of its own: unshare --mount --pid --fork --kill-child --mount-proc tests/panel/polkit.sh ...
set -euo pipefail
program=$1 policy=$2 answer=$3
shift 3
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

rules=/run/rules actions=/usr/share/polkit-1/actions
mount -t tmpfs none /run
mkdir -p /run/dbus $rules /run/actions
cp $actions/org.freedesktop.policykit.policy /run/actions/
sed "s,/usr/bin/lastkey,$program," "$policy" >/run/actions/org.lastkey.panel.policy
mount --bind /run/actions $actions
cat >$rules/test.rules <<RULES
polkit.addRule(function(action, subject) {
  return action.id == "org.lastkey.panel.read-drives" && subject.user == "nobody" ? "$answer" : "no";
});
RULES
chmod -R a+rX $rules /run/actions
mount --bind $rules /etc/polkit-1/rules.d

dbus-daemon --system --fork --nopidfile
/usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 </dev/null &
for ((tries = 0; tries < 300; tries++)); do
  dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner \
    string:org.freedesktop.PolicyKit1 >/dev/null 2>&1 && break
  sleep 0.1
done
# pkexec takes a parent that is the first process of all for one that has died.
"$@"
