#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Records lab.pcap (microseconds), lab.pcapng (nanoseconds) and lab.pcap.gz: real traffic of ordinary
# clients and servers in two network namespaces joined by a veth pair. Nothing leaves the namespaces, and
# they are gone when the script ends.
#
#   samples/captures/make.sh [OUTPUT_DIR]
#
# Needs root, ip, tcpdump, ping, curl, dig, dnsmasq, iperf3, python3, editcap, reordercap and gzip.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here}
lab=$here/lab.py

for tool in ip ss tcpdump ping curl dig dnsmasq iperf3 python3 editcap reordercap gzip; do
  command -v "$tool" > /dev/null || { echo "make.sh: needs $tool" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "make.sh: needs root for the namespaces" >&2; exit 1; }

client=tsbpf-client-$$
server=tsbpf-server-$$
scratch=$(mktemp -d)
# dnsmasq and http.server drop no privileges here, but the folder must be readable all the same
chmod 755 "$scratch"
started=()

stop_all() {
  local status=$?
  if [ $status != 0 ]; then tail -n 5 "$scratch"/log.* >&2 || true; fi
  for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2> /dev/null || true; done
  ip netns del "$client" 2> /dev/null || true
  ip netns del "$server" 2> /dev/null || true
  rm -rf "$scratch"
}
trap stop_all EXIT

on_client() { ip netns exec "$client" "$@"; }
on_server() { ip netns exec "$server" "$@"; }
start() { # NAMESPACE COMMAND...
  local ns=$1
  shift
  last_log=$scratch/log.${#started[@]}
  ip netns exec "$ns" "$@" > "$last_log" 2>&1 &
  started+=($!)
}
wait_for_line() { # TEXT LOG
  for _ in $(seq 200); do
    if grep -qs "$1" "$2"; then return; fi
    sleep 0.05
  done
  echo "make.sh: $2 never said \"$1\"" >&2
  exit 1
}
wait_for_port() { # t|u PORT
  for _ in $(seq 100); do
    if on_server ss -Hln"$1" "sport = :$2" | grep -q .; then return; fi
    sleep 0.05
  done
  echo "make.sh: nothing listens on port $2" >&2
  exit 1
}
quietly() { "$@" > /dev/null 2>&1 || true; }

# --- two hosts and a cable: documentation addresses, locally administered MAC addresses
ip netns add "$client"
ip netns add "$server"
ip link add c0 netns "$client" address 02:00:5e:00:00:02 type veth \
  peer name s0 netns "$server" address 02:00:5e:00:00:01
ip -n "$client" link set lo up
ip -n "$server" link set lo up
on_client python3 "$lab" offloads c0
on_server python3 "$lab" offloads s0
ip -n "$server" addr add 192.0.2.1/24 dev s0
ip -n "$client" addr add 192.0.2.2/24 dev c0

ip -n "$server" link set s0 up
start "$server" tcpdump -i s0 -n -U -s 0 --immediate-mode -Z root --time-stamp-precision=nano -w "$scratch/lab.nano.pcap"
recorder=${started[-1]}
recorder_log=$last_log
wait_for_line "listening on" "$recorder_log"
ip -n "$client" link set c0 up
ip -n "$server" addr add 2001:db8::1/64 dev s0
ip -n "$client" addr add 2001:db8::2/64 dev c0

# --- VLAN 10, and VLAN 30 within service VLAN 20; a process does the tagging where the kernel cannot
make_vlans() { # NAMESPACE INTERFACE
  if ip -n "$1" link add link "$2" name vlan10 type vlan id 10 2> /dev/null; then
    ip -n "$1" link add link "$2" name svlan20 type vlan proto 802.1ad id 20
    ip -n "$1" link set svlan20 up
    ip -n "$1" link add link svlan20 name qinq type vlan id 30
  else
    start "$1" python3 "$lab" vlan "$2" vlan10 8100:10
    wait_for_line ready "$last_log"
    start "$1" python3 "$lab" vlan "$2" qinq 88a8:20 8100:30
    wait_for_line ready "$last_log"
  fi
  ip -n "$1" link set vlan10 mtu 1492 up
  ip -n "$1" link set qinq mtu 1492 up
}
make_vlans "$server" s0
make_vlans "$client" c0
ip -n "$server" addr add 198.51.100.1/24 dev vlan10
ip -n "$client" addr add 198.51.100.2/24 dev vlan10
ip -n "$server" addr add 2001:db8:10::1/64 dev vlan10 nodad
ip -n "$client" addr add 2001:db8:10::2/64 dev vlan10 nodad
ip -n "$server" addr add 203.0.113.1/24 dev qinq
ip -n "$client" addr add 203.0.113.2/24 dev qinq

# --- servers
mkdir "$scratch/www"
printf '<!doctype html>\n<title>lab</title>\n<p>It works.</p>\n' > "$scratch/www/index.html"
python3 -c 'print("\n".join(f"line {i:05d} of a longer text" for i in range(420)))' > "$scratch/www/long.txt"
start "$server" python3 -m http.server 80 --bind :: --directory "$scratch/www"
start "$server" python3 "$lab" echo 7
start "$server" iperf3 -s
start "$server" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
  --local=/lab.test/ --host-record=www.lab.test,192.0.2.1,2001:db8::1 --cname=web.lab.test,www.lab.test \
  --txt-record=lab.test,"a text that says nothing" --mx-host=lab.test,www.lab.test,10 --log-facility=-
wait_for_port t 80
wait_for_port t 5201
wait_for_port u 7
wait_for_port u 53
# duplicate address detection takes a second
for _ in $(seq 60); do
  if ! ip -n "$client" -6 addr show tentative | grep -q . && ! ip -n "$server" -6 addr show tentative | grep -q .; then break; fi
  sleep 0.1
done

# --- clients
quietly on_client ping -c 4 -i 0.05 192.0.2.1
quietly on_client ping -c 2 -i 0.05 -s 1200 192.0.2.1
quietly on_client ping -c 3 -i 0.05 -s 4000 192.0.2.1
quietly on_client ping -c 1 -R 192.0.2.1
quietly on_client ping -c 4 -i 0.05 2001:db8::1
quietly on_client ping -c 2 -i 0.05 -s 4000 2001:db8::1
quietly on_client ping -c 1 -W 1 192.0.2.99
quietly on_server ping -c 2 -i 0.05 192.0.2.2

query() { quietly on_client dig +tries=1 +time=1 "$@"; }
query @192.0.2.1 www.lab.test A
query @192.0.2.1 www.lab.test AAAA
query @192.0.2.1 web.lab.test A
query @192.0.2.1 lab.test TXT
query @192.0.2.1 lab.test MX
query @192.0.2.1 nothing.lab.test A
query @192.0.2.1 +tcp www.lab.test A
query @2001:db8::1 www.lab.test AAAA

fetch() { quietly on_client curl -s -o /dev/null --max-time 5 "$@"; }
fetch http://192.0.2.1/
fetch http://192.0.2.1/long.txt
fetch http://192.0.2.1/missing
fetch -I http://192.0.2.1/
fetch -d "name=value" http://192.0.2.1/form
fetch http://192.0.2.1/ http://192.0.2.1/index.html
fetch "http://[2001:db8::1]/"
fetch "http://[2001:db8::1]/long.txt"

quietly on_client iperf3 -c 192.0.2.1 -n 48K -l 4K
quietly on_client iperf3 -c 192.0.2.1 -n 20K -l 4K -R
quietly on_client iperf3 -c 2001:db8::1 -n 16K -l 4K
quietly on_client iperf3 -c 192.0.2.1 -u -b 2M -n 16K -l 800

quietly on_client python3 "$lab" talk udp 192.0.2.1 7 20 64
quietly on_client python3 "$lab" talk udp 192.0.2.1 7 2 5000
quietly on_client python3 "$lab" talk udp 2001:db8::1 7 5 300
quietly on_client python3 "$lab" talk tcp 192.0.2.1 7 15 32
quietly on_client python3 "$lab" talk tcp 2001:db8::1 7 5 100

# what is refused: closed ports, of which a firewall would rather not hear
quietly on_client python3 "$lab" talk udp 192.0.2.1 9 2 20
quietly on_client python3 "$lab" talk udp 2001:db8::1 9 1 20
for port in 22 23 111 445 3389 8443; do quietly on_client python3 "$lab" talk tcp 192.0.2.1 "$port" 1 8; done
quietly on_client python3 "$lab" talk tcp 2001:db8::1 23 1 8

quietly on_client ping -c 3 -i 0.05 198.51.100.1
quietly on_client ping -c 2 -i 0.05 2001:db8:10::1
quietly on_client ping -c 1 -s 3000 198.51.100.1
fetch http://198.51.100.1/long.txt
query @198.51.100.1 www.lab.test A
quietly on_client python3 "$lab" talk udp 198.51.100.1 7 5 64
quietly on_client python3 "$lab" talk tcp 198.51.100.1 445 1 8
quietly on_client ping -c 3 -i 0.05 203.0.113.1
fetch http://203.0.113.1/
quietly on_client python3 "$lab" talk udp 203.0.113.1 7 5 64

# and what no ordinary program sends
on_client python3 "$lab" odd c0 02:00:5e:00:00:01 02:00:5e:00:00:02

sleep 0.5
kill -INT "$recorder"
wait "$recorder" || true

# both directions stamp their packets, on two CPUs: a few come out of order
reordercap "$scratch/lab.nano.pcap" "$scratch/lab.sorted" > /dev/null
editcap -F pcap "$scratch/lab.sorted" "$out/lab.pcap"
editcap -F pcapng "$scratch/lab.sorted" "$out/lab.pcapng"
gzip -9nc "$out/lab.pcap" > "$out/lab.pcap.gz"
chmod 644 "$out"/lab.pcap "$out"/lab.pcapng "$out"/lab.pcap.gz
grep "packets" "$recorder_log" >&2
ls -l "$out"/lab.pcap* >&2
