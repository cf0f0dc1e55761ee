/** The first half of the filters: words of protocols and of tagged frames, alone and together. */
export const WORDS = `
ip
ip6
arp
rarp
tcp
udp
sctp
icmp
icmp6
igmp
igrp
pim
vrrp
carp
ah
esp
atalk
aarp
decnet
lat
sca
moprc
mopdl
iso
esis
es-is
isis
is-is
clnp
l1
l2
iih
lsp
snp
csnp
psnp
stp
ipx
netbeui
host 10.0.0.1
src host 10.0.0.1
dst host 10.0.0.1
src or dst host 10.0.0.1
src and dst host 10.0.0.1
dst or src host 10.0.0.1
dst and src host 10.0.0.1
src 10.0.0.1
dst 10.0.0.1
host 10.1
host 10.1.2
src host 10
host 0x0a000001
ip host 10.0.0.1
ip src host 10.0.0.1
arp host 10.0.0.1
arp dst host 10.0.0.1
rarp host 10.0.0.1
host ::1
ip6 host ::1
src host 2001:db8::1
ip6 dst host fe80::1:2:3:4
src and dst host ff02::1
host ::ffff:1.2.3.4
host 1:2:3:4:5:6:7:8
host 1:2:3:4:5:6:1.2.3.4
net 10
net 10.0.0.0/8
net 192.168
net 192.168.1
net 172.16.0.0/12
src net 10.0.0.0/8
dst net 192.168.0.0/16
src and dst net 192.168.0.0/16
net 0.0.0.0/0
net 1.2.3.4/32
net 10.0.0.0 mask 255.0.0.0
dst net 10.1 mask 255.255.0
ip net 10.0.0.0/8
arp net 10.0.0.0/8
net fe80::/10
src net 2001:db8::/32
ip6 net ff00::/8
dst net ::/0
net 2001:db8:1:2::/64
net fe80::/96
net ::1/128
net 3000
port 80
src port 80
dst port 80
src or dst port 80
src and dst port 80
tcp port 80
udp port 53
sctp port 5060
tcp src port 80
udp dst port 53
udp src and dst port 123
port 0
port 65535
tcp port 0x50
portrange 80-90
portrange 90-80
portrange 80
portrange 6000-6008
src portrange 1-1024
dst portrange 1-1024
src and dst portrange 1-1024
tcp portrange 80-443
udp dst portrange 0-65535
sctp src portrange 5000-6000
ether host aa:bb:cc:dd:ee:ff
ether src aa:bb:cc:dd:ee:ff
ether dst host 1:2:3:4:5:6
ether src and dst 00-11-22-33-44-55
ether host 0011.2233.4455
ether host 001122334455
ether host aa.bb.cc.dd.ee.ff
wlan host aa:bb:cc:dd:ee:ff
fddi src host aa:bb:cc:dd:ee:ff
ether broadcast
broadcast
ip broadcast
ether multicast
multicast
ip multicast
ip6 multicast
ether proto 0x800
ether proto 2054
ether proto \\ip
ether proto \\ip6
ether proto \\arp
ether proto \\rarp
ether proto \\atalk
ether proto \\aarp
ether proto \\decnet
ether proto \\lat
ether proto \\loopback
ether proto \\iso
ether proto \\stp
ether proto \\ipx
ether proto \\netbeui
ether proto 0x86dd
ether proto 6
ether proto 100
ether proto 1500
ether proto 1501
ether proto 70000
ip proto 6
ip proto \\tcp
ip proto \\udp
ip proto \\icmp
ip proto \\esp
ip proto \\gre
ip proto 300
ip6 proto 58
ip6 proto \\udp
ip6 proto 44
proto 17
proto \\sctp
iso proto \\clnp
iso proto \\isis
iso proto 5
isis proto 16
ip protochain 6
ip6 protochain 6
protochain 17
protochain \\tcp
ip6 protochain \\ah
tcp and ip6 protochain 51
vlan
vlan 5
vlan 4095
vlan and ip
vlan 5 and tcp
vlan 100 and vlan 200
vlan and vlan and ip6 and udp
vlan 3 and host 10.0.0.1
vlan or ip
vlan and tcp[0:2] = 80
not vlan
mpls
mpls 100000
mpls 100000 and mpls 1024
mpls and ip
mpls and host 10.0.0.1
mpls 5 and ip6 and tcp
mpls and mpls and mpls
mpls and port 80
vlan and mpls 3 and udp
pppoed
pppoes
pppoes 0x27
pppoes and ip
pppoes 1 and tcp port 80
pppoes and ip6 and icmp6
pppoes and arp
vlan and pppoes and host 1.2.3.4
geneve
geneve 0xb
`;
