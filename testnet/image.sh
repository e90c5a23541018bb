#!/usr/bin/env bash
# Makes the testnet's image from a binary that is already built, with the libraries that it names and
# nothing else: no registry is asked. `testnet/Dockerfile` makes the same from source.
#
#   image.sh BINARY [TAG]
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }
readonly binary=$1 tag=${2:-cloverleaf:testnet}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root/data"
# Debug information is most of a binary, and nobody reads it in a container.
strip --strip-debug -o "$root/cloverleaf" "$binary" 2>/dev/null || cp "$binary" "$root/cloverleaf"
while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp --dereference "$library" "$root$library"
done < <(ldd "$binary" | grep -o '/[^ ]*' | sort -u)

tar --create --directory "$root" --owner 0 --group 0 . | docker import \
    --change 'ENTRYPOINT ["/cloverleaf"]' \
    --change 'USER 65532:65532' \
    --change 'EXPOSE 4545 4546 4548 4549' \
    --change 'LABEL org.opencontainers.image.title=cloverleaf' \
    - "$tag" >/dev/null
echo "image: $tag, $(du -sh "$root" | cut -f 1)" >&2
