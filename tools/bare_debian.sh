#!/usr/bin/env bash
# Show that the project sets itself up on a bare Debian: a debootstrap root with Python, pip, venv and make, and with
# nothing else of this machine but its way to the package registry. Needs root, debootstrap and two minutes.
#
#   bash tools/bare_debian.sh [SETTING...]      each SETTING is handed to `make run` as --set
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
suite=bookworm
inside=/srv/centralino
sip_port=15060
web_port=18080
serving=

[ "$(id -u)" -eq 0 ] || { echo "bare_debian: needs root, for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare_debian: run \`apt install debootstrap\`" >&2; exit 1; }

root=$(mktemp --directory)
leave() {
    if [ -n "$serving" ]; then
        kill -TERM -- "-$(cat "$root/run/node")" 2>/dev/null || true
        wait "$serving" 2>/dev/null || true
    fi
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap leave EXIT

echo "== a bare Debian $suite"
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,make,ca-certificates "$suite" "$root" >"$root.log" \
    || { tail -n 5 "$root.log" >&2; exit 1; }
rm "$root.log"
mount -t proc proc "$root/proc"

# the project as a fresh clone has it: what is committed, and nothing that git ignores
mkdir -p "$root$inside"
git archive HEAD | tar --extract --directory "$root$inside"

# the way to the package registry: names, certificates, pip's settings
cp /etc/resolv.conf /etc/hosts "$root/etc/"
if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/"; fi
if [ -n "${SSL_CERT_FILE:-}" ]; then cp "$SSL_CERT_FILE" "$root/etc/ssl/certs/ca-certificates.crt"; fi
settings=()
while IFS= read -r line; do settings+=("$line"); done < <(env | grep -E '^(PIP_|UV_|https?_proxy=|HTTPS?_PROXY=|no_proxy=|NO_PROXY=)' || true)
[ -z "${SSL_CERT_FILE:-}" ] || settings+=(SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt)

within() {
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 "${settings[@]}" \
        sh -c "cd $inside && $*"
}

within "python3 --version"
for absent in uv python3.10 gcc git; do
    within "! command -v $absent >/dev/null" || { echo "bare_debian: $absent is in the root" >&2; exit 1; }
done

echo "== first set-up"
time within "make setup"
echo "== second set-up, as make run does it"
time within "python3 -m tools.setup"
within ".venv/bin/python -c 'import aiortc, numba, onnxruntime, vosk, voice, dialog, dsp, agent_assist'"
du --summarize --block-size=MB "$root$inside/.venv" "$root/root/.cache" | sed "s#$root##"
if [ -e voice/cli.py ]; then
    echo "== make run"
    sets="--set sip.port=$sip_port --set web.port=$web_port"
    for setting in "$@"; do sets="$sets --set $setting"; done
    # a session of its own, so that make and the node are stopped together
    within "setsid --wait sh -c 'echo \$\$ >/run/node; exec make run ARGS=\"$sets\"'" &
    serving=$!
    within "python3 -m tools.answers --within 90 --sip-port $sip_port --web-port $web_port"
fi
echo "bare_debian: the project set itself up"
