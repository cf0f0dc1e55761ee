/** The kind of header that a capture's packets start with. */
export interface LinkType {
  /** LINKTYPE_ value as files hold it. */
  readonly value: number;
  /** Name as `tcpdump -y` and `tcpdump -L` use it. */
  readonly name: string;
  readonly description: string;
}

/** Common link types. @source tcpdump.org linktypes.html, libpcap pcap.c dlt_choices */
const ROWS: readonly (readonly [value: number, name: string, description: string])[] = [
  [0, "NULL", "BSD loopback"],
  [1, "EN10MB", "Ethernet"],
  [3, "AX25", "AX.25 layer 2"],
  [6, "IEEE802", "Token ring"],
  [7, "ARCNET", "BSD ARCNET"],
  [8, "SLIP", "SLIP"],
  [9, "PPP", "PPP"],
  [10, "FDDI", "FDDI"],
  [50, "PPP_SERIAL", "PPP over serial"],
  [51, "PPP_ETHER", "PPPoE session"],
  [100, "ATM_RFC1483", "RFC 1483 LLC-encapsulated ATM"],
  [101, "RAW", "Raw IP"],
  [104, "C_HDLC", "Cisco HDLC"],
  [105, "IEEE802_11", "802.11"],
  [107, "FRELAY", "Frame Relay"],
  [108, "LOOP", "OpenBSD loopback"],
  [113, "LINUX_SLL", "Linux cooked v1"],
  [114, "LTALK", "Localtalk"],
  [117, "PFLOG", "OpenBSD pflog file"],
  [119, "PRISM_HEADER", "802.11 plus Prism header"],
  [122, "IP_OVER_FC", "RFC 2625 IP over Fibre Channel"],
  [123, "SUNATM", "Sun raw ATM"],
  [127, "IEEE802_11_RADIO", "802.11 plus radiotap header"],
  [129, "ARCNET_LINUX", "Linux ARCNET"],
  [138, "APPLE_IP_OVER_IEEE1394", "Apple IP over IEEE 1394"],
  [139, "MTP2_WITH_PHDR", "SS7 MTP2 with pseudo-header"],
  [140, "MTP2", "SS7 MTP2"],
  [141, "MTP3", "SS7 MTP3"],
  [142, "SCCP", "SS7 SCCP"],
  [143, "DOCSIS", "DOCSIS"],
  [144, "LINUX_IRDA", "Linux IrDA"],
  [147, "USER0", "reserved for private use 0"],
  [148, "USER1", "reserved for private use 1"],
  [149, "USER2", "reserved for private use 2"],
  [150, "USER3", "reserved for private use 3"],
  [151, "USER4", "reserved for private use 4"],
  [152, "USER5", "reserved for private use 5"],
  [153, "USER6", "reserved for private use 6"],
  [154, "USER7", "reserved for private use 7"],
  [155, "USER8", "reserved for private use 8"],
  [156, "USER9", "reserved for private use 9"],
  [157, "USER10", "reserved for private use 10"],
  [158, "USER11", "reserved for private use 11"],
  [159, "USER12", "reserved for private use 12"],
  [160, "USER13", "reserved for private use 13"],
  [161, "USER14", "reserved for private use 14"],
  [162, "USER15", "reserved for private use 15"],
  [163, "IEEE802_11_RADIO_AVS", "802.11 plus AVS radio information header"],
  [165, "BACNET_MS_TP", "BACnet MS/TP"],
  [166, "PPP_PPPD", "PPP with direction, as pppd records it"],
  [169, "GPRS_LLC", "GPRS LLC"],
  [177, "LINUX_LAPD", "Linux vISDN LAPD"],
  [186, "USB_FREEBSD", "USB with FreeBSD header"],
  [187, "BLUETOOTH_HCI_H4", "Bluetooth HCI UART transport layer"],
  [189, "USB_LINUX", "USB with Linux header"],
  [190, "CAN20B", "CAN 2.0b"],
  [192, "PPI", "Per-Packet Information"],
  [195, "IEEE802_15_4_WITHFCS", "IEEE 802.15.4 with FCS"],
  [196, "SITA", "SITA"],
  [197, "ERF", "Endace ERF header"],
  [201, "BLUETOOTH_HCI_H4_WITH_PHDR", "Bluetooth HCI UART transport layer with direction"],
  [203, "LAPD", "LAPD"],
  [204, "PPP_WITH_DIR", "PPP with direction"],
  [205, "C_HDLC_WITH_DIR", "Cisco HDLC with direction"],
  [206, "FRELAY_WITH_DIR", "Frame Relay with direction"],
  [209, "IPMB_LINUX", "IPMB with Linux header"],
  [215, "IEEE802_15_4_NONASK_PHY", "IEEE 802.15.4 with non-ASK PHY data"],
  [220, "USB_LINUX_MMAPPED", "USB with padded Linux header"],
  [224, "FC_2", "Fibre Channel FC-2"],
  [225, "FC_2_WITH_FRAME_DELIMS", "Fibre Channel FC-2 with frame delimiters"],
  [226, "IPNET", "Solaris ipnet"],
  [227, "CAN_SOCKETCAN", "CAN-bus with SocketCAN headers"],
  [228, "IPV4", "Raw IPv4"],
  [229, "IPV6", "Raw IPv6"],
  [230, "IEEE802_15_4_NOFCS", "IEEE 802.15.4 without FCS"],
  [231, "DBUS", "D-Bus"],
  [235, "DVB_CI", "DVB-CI"],
  [236, "MUX27010", "MUX27010"],
  [239, "NFLOG", "Linux netfilter log messages"],
  [240, "NETANALYZER", "Ethernet with Hilscher netANALYZER header"],
  [242, "IPOIB", "RFC 4391 IP-over-Infiniband"],
  [243, "MPEG_2_TS", "MPEG-2 transport stream"],
  [245, "NFC_LLCP", "NFC LLCP"],
  [247, "INFINIBAND", "InfiniBand"],
  [248, "SCTP", "SCTP"],
  [249, "USBPCAP", "USB with USBPcap header"],
  [251, "BLUETOOTH_LE_LL", "Bluetooth Low Energy air interface"],
  [252, "WIRESHARK_UPPER_PDU", "Wireshark upper PDU export"],
  [253, "NETLINK", "Linux netlink"],
  [254, "BLUETOOTH_LINUX_MONITOR", "Bluetooth Linux Monitor"],
  [258, "PKTAP", "Apple PKTAP"],
  [259, "EPON", "EPON"],
  [264, "ISO_14443", "ISO 14443 messages"],
  [266, "USB_DARWIN", "USB with Darwin header"],
  [270, "LORATAP", "LoRaTap"],
  [271, "VSOCK", "Linux vsock"],
  [272, "NORDIC_BLE", "Nordic Bluetooth LE sniffer"],
  [276, "LINUX_SLL2", "Linux cooked v2"],
  [279, "EBHSCR", "Elektrobit High Speed Capture and Replay"],
  [288, "USB_2_0", "USB 2.0/1.1/1.0 as transmitted over the cable"],
];

const LINK_TYPES: readonly LinkType[] = ROWS.map(([value, name, description]) => ({
  value,
  name,
  description,
}));
const BY_VALUE = new Map(LINK_TYPES.map((linkType) => [linkType.value, linkType]));
const BY_NAME = new Map(LINK_TYPES.map((linkType) => [linkType.name, linkType]));

/** The LINKTYPE_ value of Ethernet. */
export const LINK_TYPE_ETHERNET = 1;

/** Link types whose packets may be larger than a network's. @source libpcap pcap-common.c max_snaplen_for_dlt */
export const BULK_LINK_TYPES: ReadonlySet<number> = new Set(
  LINK_TYPES.filter(({ name }) =>
    /^(DBUS|EBHSCR|USB_LINUX|USB_LINUX_MMAPPED|USBPCAP|USB_DARWIN)$/.test(name),
  ).map(({ value }) => value),
);

/** Returns the name that tcpdump uses for a LINKTYPE_ value, or `LINKTYPE_<n>`. */
export const linkTypeName = (value: number): string => BY_VALUE.get(value)?.name ?? `LINKTYPE_${value}`;

/** Returns a few words about a LINKTYPE_ value, or undefined when it is not a common one. */
export const linkTypeDescription = (value: number): string | undefined => BY_VALUE.get(value)?.description;

/** Finds a link type by the name that `tcpdump -y` takes, in any case, or undefined. */
export const findLinkType = (name: string): LinkType | undefined => BY_NAME.get(name.toUpperCase());

/** Returns every link type that has a name here. */
export const listLinkTypes = (): readonly LinkType[] => LINK_TYPES;
