import { WORDS } from "./words.ts";

/** Filters that people write, and filters that reach every part of the compiler. */
export const EXPRESSIONS: readonly string[] = `${WORDS}
geneve and icmp
geneve 5 and tcp port 80
geneve and ip6 and udp
geneve and ether host aa:bb:cc:dd:ee:ff
geneve and broadcast
geneve and vlan 3 and ip
geneve 2 and ip[8] < 5
geneve and geneve
geneve and tcp[tcpflags] & tcp-syn != 0
geneve and net 10.0.0.0/8
geneve and multicast
llc
llc i
llc s
llc u
llc rr
llc rnr
llc rej
llc ui
llc ua
llc disc
llc dm
llc sabme
llc test
llc xid
llc frmr
less 100
greater 1500
less 0
greater 0
len > 100
len < 64
len >= 1000
len <= 1000
len = 60
len != 60
length == 60
len - 14 > 100
len + 4 = 64
len * 2 > 100
len / 2 < 50
len % 4 = 1
len & 1 = 0
len | 3 = 3
len ^ 5 = 1
len << 2 > 400
len >> 1 = 30
-len = 5
-len + 3 > 5
byte 0 = 1
byte 12 > 5
byte 12 < 5
byte 3 & 1
byte 3 | 1
inbound
outbound
ifindex 3
ip[9] == 6
ip[9] = 17
ip[0] & 0xf != 5
ip[6:2] & 0x1fff = 0
ip[6:2] & 0x2000 != 0
ip[8] < 5
ip[2:2] > 576
ip[12:4] = 0x0a000001
ip[16] >= 224
ip[20] = 0x42
ip6[6] = 58
ip6[7] < 255
ip6[40] = 3
arp[6:2] = 1
arp[7] = 2
rarp[6:2] = 3
tcp[13] = 2
tcp[13] & 2 = 2
tcp[13] & 2 != 0
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[tcpflags] = tcp-syn
tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn
tcp[tcpflags] & tcp-rst != 0 and port 80
tcp[tcpflags] & tcp-push != 0
tcp[tcpflags] & tcp-urg != 0
tcp[tcpflags] & (tcp-ece|tcp-cwr) != 0
tcp[0:2] = 80
tcp[2:2] > 1024
tcp[4:4] = 0
tcp[12] >> 4 > 5
tcp[12:1] & 0xf0 >> 2 = 20
tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420
tcp[(tcp[12] >> 2):4] = 0x48545450
ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0
tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
udp[0:2] = udp[2:2]
udp[4:2] > 100
udp[8:4] = 0x01020304
udp[10] & 0x80 != 0
icmp[icmptype] = icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[icmpcode] = 3
icmp[0] = 3 and icmp[1] = 4
icmp[icmptype] == icmp-unreach
icmp[icmptype] == icmp-redirect or icmp[icmptype] == icmp-timxceed
icmp6[icmp6type] = icmp6-echo
icmp6[icmp6type] = icmp6-neighborsolicit
icmp6[icmp6code] = 0
icmp6[0] = 135 or icmp6[0] = 136
igmp[0] = 0x16
sctp[12] = 1
pim[0] & 0xf = 0
vrrp[0] >> 4 = 2
ether[0] & 1 = 0
ether[0] & 1 != 0
ether[0:4] = 0xffffffff
ether[12:2] = 0x800
ether[12:2] > 1500
ether[20:2] = 0x2000
ether[0:2] = ether[6:2]
ether[len - 1] = 0
link[14] = 0x45
atalk[0] = 1
decnet[2] = 1
lat[0] = 1
1 = 1
2 > 1
5 / 2 = 2
5 % 3 = 2
7 & 3 = 3
1 << 4 = 16
256 >> 4 = 16
6 ^ 3 = 5
1 + 2 * 3 = 7
(1 + 2) * 3 = 9
10 - 2 - 3 = 5
10 - (2 - 3) = 11
2 * 3 % 4 = 6
10 % 4 + 3 = 3
1 | 2 ^ 3 = 1
0 * len = 0
0 + len = 60
0 | len = 60
0 & len = 0
0 - len = 5
0 << len = 0
len * 0 = 0
len + 0 = 60
len & 0 = 0
len / 1 = 60
4294967295 = 0xffffffff
017 = 15
ip[ip[0]] = 1
ip[ip[0] & 0xf * 4] = 1
tcp[tcp[12]:2] = 1
udp[ip[0] + 4:2] = 5
100 - ip6[12:2] = 13
len > len % icmp6[0]
tcp[0] + udp[0] = 5
ether[0] * ether[1] = ether[2]
tcp port 80 and not host 10.0.0.1
tcp port 80 or tcp port 443
port 80 or 443
port 80 or 443 or 8080
tcp port 80 or 443 or 8080 and not 22
port (80 or 443)
tcp port (80 or 443 or 8080)
host (10.0.0.1 or 10.0.0.2)
host 10.0.0.1 or 10.0.0.2 or 10.0.0.3
src host 10.0.0.1 and not 10.0.0.2
net 10.0.0.0/8 or 172.16.0.0/12 or 192.168.0.0/16
not port 22
not not ip
! tcp
!(tcp or udp)
not (tcp port 80 or udp port 53)
tcp && !udp
tcp || udp
tcp and udp
ip and ip6
ip or ip6 or arp
(ip)
((ip))
(ip or ip6) and (tcp or udp)
(tcp and port 80) or (udp and port 53)
tcp and (src port 80 or dst port 80)
host 1.2.3.4 and port 80
host 1.2.3.4 and tcp port 80 and not src net 10.0.0.0/8
src 1.2.3.4 and dst 5.6.7.8
src host 1.2.3.4 and dst port 80 and tcp
icmp or arp
icmp and host 10.0.0.1
ip and not tcp and not udp
not arp and not port 53
not broadcast and not multicast
not ether dst 01:00:5e:00:00:01
ether host aa:bb:cc:dd:ee:ff and ip
tcp or udp or icmp or igmp or sctp
tcp or udp or icmp6
udp and (port 67 or port 68)
(udp port 67 or 68) and not broadcast
tcp[13] & 7 != 0 and not src and dst net 192.168
tcp dst port 80 and tcp[20:4] = 0x47455420
ip[6:2] & 0x3fff != 0 and udp
ip6 and tcp port 443
ip6 and not icmp6
ip6 host fe80::1 or ip host 10.0.0.1
host ::1 or host 127.0.0.1
net fe80::/10 or net 169.254.0.0/16
greater 100 and less 200
len > 100 and tcp
port 53 and greater 512
tcp port 80 and len > 54 and not host 10.0.0.1 and not host 10.0.0.2
vlan 10 and (tcp port 80 or udp port 53)
(vlan and ip) or ip
ip and vlan
(tcp port 80) and (tcp port 80)
tcp port 80 or tcp port 80
ip or not ip
tcp and not tcp or udp
ip and (ip or arp)
ip proto 6 and ip[9] = 6
tcp and ip[9] = 6
udp port 53 and ip[8] > 5 and ip[8] < 64
arp and arp[6:2] = 1 and arp dst host 10.0.0.1
stp or lldp0 = 1
`
  .split("\n")
  .filter((line) => line !== "" && !line.includes("lldp0"));
