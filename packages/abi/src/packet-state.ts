/**
 * Words that a `__sk_buff` context keeps after its 192 uapi bytes, where no program can reach them: what the kernel's
 * `sk_buff` knows of the packet beyond the uapi fields. Program types fill them, helpers and the legacy packet loads
 * use them. Offsets from the context's address; each is a u32 unless it says otherwise.
 */
export const SKB_STATE = {
  /** Address of the link-layer header. */
  macHeader: 192,
  /** Address of the network header. */
  networkHeader: 196,
  /** Address of the transport header, 0 when unknown. */
  transportHeader: 200,
  /** One of {@link CSUM_STATE}. */
  csumState: 204,
  /** Sum of the packet from the network header on, when the state is `complete`. */
  csum: 208,
  /** Verified checksums beyond the first, when the state is `unnecessary`. */
  csumLevel: 212,
  /** Not 0 once `bpf_set_hash` or a flow dissection filled `hash`. */
  hasHash: 216,
  /** Not 0 while the packet is encapsulated by a helper. */
  isEncapsulated: 220,
  /** Bits of the segmentation type; only "set or not" has a meaning here. */
  gsoType: 224,
  /** Not 0 once tunnel metadata is set. */
  hasTunnel: 228,
  /** 44 bytes in the layout of `bpf_tunnel_key`, with local and remote exchanged. */
  tunnelKey: 232,
  /** Tunnel flags in the kernel's own bits. */
  tunnelFlags: 276,
  /** Bytes of tunnel options, and the options, up to 255 bytes. */
  tunnelOptBytes: 280,
  tunnelOpt: 284,
  /** Address of the `bpf_sock` of the packet, 0 when it has none. */
  sock: 540,
  bytes: 544,
} as const;

/** How far a packet's checksum is known. @source linux include/linux/skbuff.h CHECKSUM_NONE */
export const CSUM_STATE = { none: 0, unnecessary: 1, complete: 2, partial: 3 } as const;

/** Words that an `xdp_md` context keeps after its 24 uapi bytes; offsets from the context's address, u32 each. */
export const XDP_STATE = {
  /** Address of the bytes after the linear part. */
  fragAddress: 24,
  /** Bytes there; 0 when the packet is linear. */
  fragBytes: 28,
  bytes: 32,
} as const;

/** Bytes of one fragment of an XDP packet. */
export const XDP_FRAG_BYTES = 4096;
/** Fragments that an XDP packet may have. @source linux include/linux/skbuff.h MAX_SKB_FRAGS */
export const XDP_FRAGS_MAX = 17;
/** Bytes at the start of a frame that no XDP helper gives away. @source linux include/net/xdp.h struct xdp_frame */
export const XDP_FRAME_HEADER_BYTES = 40;
/** Bytes at the end of a frame that the kernel keeps. @source linux include/linux/skbuff.h struct skb_shared_info */
export const FRAME_TAILROOM_BYTES = 320;
