#!/bin/sh
# Makes etcd's users and roles for nodes of wayshift, one user for each node, named like the node.
#
#   etcd-roles.sh [--prefix /wayshift/] [--certificates] admin|edge NODE...
#
# admin  writes orders, the audit and kept answers, and its own presence and ballots; reads everything below the prefix
# edge   writes its own presence and ballots alone; reads everything below the prefix
#
# It asks etcd as ETCDCTL_ENDPOINTS, ETCDCTL_USER, ETCDCTL_CACERT and so on say. A new user's password is read from
# standard input, a line for each node; with --certificates users have none, and prove themselves by a certificate
# whose CN is the node's name. Run again it changes what a node may; it never takes a user's password away.
# Authentication is switched on by you, once there is a root user: etcdctl auth enable
set -eu

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2
    exit 2
}

prefix=/wayshift/
certificates=
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || usage; prefix=$2; shift 2 ;;
        --certificates) certificates=yes; shift ;;
        -*) usage ;;
        *) break ;;
    esac
done
[ $# -ge 2 ] || usage
kind=$1
shift
case $kind in admin | edge) ;; *) usage ;; esac
while [ "${prefix%/}" != "$prefix" ]; do prefix=${prefix%/}; done
root=$prefix/v1/

etcdctl() {
    ETCDCTL_API=3 command etcdctl "$@"
}

# role NAME: makes it if it is not there.
role() {
    etcdctl role get "$1" >/dev/null 2>&1 || etcdctl role add "$1" >/dev/null
}

# One name for the roles of each prefix: several fleets may share an etcd.
fleet=wayshift$(printf %s "$prefix" | tr / -)
role "$fleet-read"
etcdctl role grant-permission --prefix=true "$fleet-read" read "$root" >/dev/null
role "$fleet-orders"
etcdctl role grant-permission --prefix=true "$fleet-orders" readwrite "${root}control/" >/dev/null
etcdctl role grant-permission --prefix=true "$fleet-orders" readwrite "${root}kept/" >/dev/null
etcdctl role grant-permission "$fleet-orders" readwrite "${root}claim" >/dev/null

for node in "$@"; do
    case $node in
        '' | *[!a-z0-9.-]*) echo "etcd-roles.sh: $node is no node's name" >&2; exit 2 ;;
    esac
    role "$fleet-node-$node"
    etcdctl role grant-permission --prefix=true "$fleet-node-$node" readwrite "${root}fleet/$node/" >/dev/null
    if ! etcdctl user get "$node" >/dev/null 2>&1; then
        if [ -n "$certificates" ]; then
            etcdctl user add "$node" --no-password >/dev/null
        else
            IFS= read -r password || { echo "etcd-roles.sh: no password for $node on standard input" >&2; exit 1; }
            printf '%s\n' "$password" | etcdctl user add "$node" --interactive=false >/dev/null
        fi
    fi
    etcdctl user grant-role "$node" "$fleet-read" >/dev/null
    etcdctl user grant-role "$node" "$fleet-node-$node" >/dev/null
    if [ "$kind" = admin ]; then
        etcdctl user grant-role "$node" "$fleet-orders" >/dev/null
    elif etcdctl user get "$node" | grep -qw -- "$fleet-orders"; then
        etcdctl user revoke-role "$node" "$fleet-orders" >/dev/null
    fi
    echo "$node: $kind below $root"
done
