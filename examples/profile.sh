# profile.sh - TCP keepalive for programs started from a login shell
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Copy it to /etc/profile.d/keepalive.sh, or append it to ~/.profile. It adds
# the library to an LD_PRELOAD that is already set, once, and does nothing if
# the library does not exist. Set the path to where the library is installed; the
# loader splits LD_PRELOAD at spaces and colons, so it must contain neither.
#
# zsh and fish do not read /etc/profile.d. For zsh, in /etc/zsh/zprofile or
# ~/.zprofile:
#     emulate sh -c '. /etc/profile.d/keepalive.sh'
# For fish, in /etc/fish/config.fish or ~/.config/fish/config.fish:
#     contains /usr/local/lib/libkeepalive.so \
#         (string split : (string split ' ' "$LD_PRELOAD"))
#     or set -gx LD_PRELOAD /usr/local/lib/libkeepalive.so $LD_PRELOAD
#     set -q KEEPIDLE; or set -gx KEEPIDLE 120
# For services of systemd --user, in ~/.config/environment.d/keepalive.conf:
#     LD_PRELOAD=/usr/local/lib/libkeepalive.so
#     KEEPIDLE=120
keepalive_library=${KEEPALIVE_LIBRARY:-/usr/local/lib/libkeepalive.so}
if [ -r "$keepalive_library" ]; then
    case ":${LD_PRELOAD-}:" in
    *[:\ ]"$keepalive_library"[:\ ]*) ;;
    *)
        LD_PRELOAD=$keepalive_library${LD_PRELOAD:+:$LD_PRELOAD}
        export LD_PRELOAD
        ;;
    esac
    # The first probe after two idle minutes; see the table in README.
    : "${KEEPIDLE:=120}"
    export KEEPIDLE
fi
unset keepalive_library
