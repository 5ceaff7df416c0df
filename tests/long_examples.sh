#!/bin/sh
# long_examples.sh - systemd and Kubernetes read the examples
# SPDX-License-Identifier: MIT
. tests/common.sh
PATH=/usr/bin:/bin:$PATH # the python3 that has the package python3-yaml
need systemd-analyze python3
python3 -c 'import yaml' 2>/dev/null || skip 'no yaml for python3'

# The command and the service stand for those that are to be installed.
units=$tmp/units
mkdir "$units" "$units/some.service.d"
for unit in examples/*.service; do
    sed "s,/usr/local/bin/keepalive,$COMMAND,g" "$unit" \
        >"$units/${unit##*/}"
done
printf '[Service]\nExecStart=/bin/true\n' >"$units/some.service"
grep -l '^\[Service\]' examples/*.conf | while read -r dropin; do
    sed "s,/usr/local/bin/keepalive,$COMMAND,g" "$dropin" \
        >"$units/some.service.d/${dropin##*/}"
done
for unit in "$units"/*.service; do
    said=$(SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no \
        "$unit" 2>&1 | grep -F "$units")
    expect "systemd-analyze verify $unit" '' "$said"
done
# It sees what is wrong.
sed -i 's,/bin/true,/no/such,' "$units/some.service"
case $(SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no \
    "$units/some.service" 2>&1) in
*/no/such*) ;;
*) fail 'systemd-analyze verify says nothing of a wrong unit' ;;
esac

# Of the alphabet that Docker and Kubernetes allow for a name
expect 'the image of the DaemonSet, all three times' '3 registry.example.com/keepalive' \
    "$(grep -oE '(image=|image: )[a-z0-9]+([._/-][a-z0-9]+)*$' \
        examples/daemonset.yaml | sed 's/image[=:] *//' | sort | uniq -c |
        sed 's/^ *//')"
expect 'the DaemonSet' 'DaemonSet True linux True /sys/fs/cgroup nsenter 32Mi' \
    "$(python3 -c 'import sys, yaml
it = yaml.safe_load(open("examples/daemonset.yaml"))
spec = it["spec"]["template"]["spec"]
switch = spec["initContainers"][0]
print(it["kind"], spec["hostPID"], spec["nodeSelector"]["kubernetes.io/os"],
      switch["securityContext"]["privileged"],
      spec["volumes"][0]["hostPath"]["path"], switch["command"][0],
      spec["containers"][0]["resources"]["limits"]["memory"])')"
# It is built from a stage that has the command and no compiler.
stage=$(sed -n 's/.*docker build --target \([a-z]*\) .*/\1/p' examples/daemonset.yaml)
expect 'the stage of its image' 'COPY /usr/local/bin/' \
    "$(sed -n "/^FROM .* AS $stage\$/,/^\$/p" examples/Dockerfile |
        sed -n 's,^\(RUN\|COPY\).* \(/[a-z/]*bin/\)$,\1 \2,p')"
finish
