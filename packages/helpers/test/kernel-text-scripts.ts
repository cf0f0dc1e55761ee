import type { CallScript, ScriptArg } from "./call-script.ts";

const mem = (at: number): ScriptArg => ({ mem: at });
const fmt = (at: number): ScriptArg => ({ fmt: at });
const stack = (at: number): ScriptArg => ({ stack: at });
const map = (idx: number): ScriptArg => ({ map: idx });

const plain = (name: string, ...calls: CallScript["calls"]): CallScript => ({
  name,
  type: "socket_filter",
  packet: new Uint8Array(64),
  calls,
});

function numberScripts(): CallScript[] {
  const texts = [
    "0",
    "-1",
    "+5",
    "  -42x",
    "08",
    "0x",
    "0x1f",
    "0xg",
    "-0x10",
    "\t\n 7",
    "-",
    "777",
    "zz",
    "\xa05",
    "1_2",
  ];
  const limits = [
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "ffffffffffffffff",
    "0".repeat(70),
  ];
  return [...texts, ...limits].flatMap((text) =>
    [0, 8, 10, 16, 2, 32, 1n << 32n].map(
      (base): CallScript => ({
        ...plain(
          `number ${JSON.stringify(text)} ${base}`,
          ["strtol", mem(0), text.length, base, mem(256)],
          ["strtoul", mem(0), text.length, base, mem(264)],
          ["strtol", mem(0), 100, base, mem(272)],
        ),
        init: [
          [0, text],
          [256, new Uint8Array(24).fill(0x55)],
        ],
      }),
    ),
  );
}

const VALUES = [
  0n,
  1n,
  (1n << 64n) - 1n,
  42n,
  0x8000_0000n,
  (1n << 63n) - 1n,
  1n << 63n,
  65n,
  0x1234_5678n,
  100n,
  7n,
  9n,
];

/** Formats that Linux takes with twelve values. */
const GOOD_FORMATS = [
  "hello world",
  "%d %i %u %x %X %lx %ld %c %lX %lu %d %d",
  "%5d|%-5d|%05d|%+d|% d|%10x|%-10x|%010x|%+x",
  "%ld %lld %llu %llx %llX",
  "%5c|%-5c|%c",
  "100%%%d",
  "%s|%10s|%-10s|%pks|%pus",
  "%px %ps %pS %pB|%20ps|%-30pS|%16px|%020px",
  "%pi4 %pI4 %pi6 %pI6",
  "%pI6c %d %d",
  "%1000d|",
  "%0-5d|%-05d|%+ d|%+c|% u",
  "\xff caf\xc3\xa9\ttab\n",
  "%8388607d",
  "%s,%s.%s",
  "%ld%c%ld%c%c%d",
];
const BAD_FORMATS = [
  "%.2f",
  "%hd",
  "%*d",
  "%#x",
  "%n",
  "%",
  "%l",
  "%sx",
  "%pz",
  "%pi5",
  "bad\x01",
  "%5%",
  "%d".repeat(13),
];

function formatScripts(): CallScript[] {
  const data: CallScript["init"] = [[1024, new Uint8Array(BigUint64Array.from(VALUES).buffer)]];
  const prints = GOOD_FORMATS.flatMap((format) =>
    [0, 1, 5, 64, 200].map(
      (size): CallScript => ({
        ...plain(`print ${JSON.stringify(format)} ${size}`, [
          "snprintf",
          size === 0 ? 0 : mem(0),
          size,
          fmt(0),
          mem(1024),
          96,
        ]),
        format: `${format}\0`,
        init: [...data, [0, new Uint8Array(300).fill(0xaa)] as const],
      }),
    ),
  );
  const lines = [...GOOD_FORMATS, ...BAD_FORMATS].flatMap((format) =>
    [format.length, format.length + 1].map(
      (size): CallScript => ({
        ...plain(
          `line ${JSON.stringify(format)} ${size}`,
          ["trace_printk", mem(0), Math.max(1, size), 5, -3, 0x12_3456_7890n],
          ["trace_vprintk", mem(0), Math.max(1, size), mem(1024), 96],
          ["trace_vprintk", mem(0), Math.max(1, size), mem(1024), 24],
        ),
        init: [...data, [0, `${format}\0`] as const],
      }),
    ),
  );
  return [...prints, ...lines];
}

function memoryScripts(): CallScript[] {
  const names = ["probe_read_user", "probe_read_kernel", "probe_read_user_str", "probe_read_kernel_str"];
  const reads = names.flatMap((name) =>
    [1, 3, 6, 7, 20].map(
      (size): CallScript => ({
        ...plain(`${name} ${size}`, [name, mem(32), size, 4095], [name, mem(64), 0, 1]),
        init: [[0, new Uint8Array(128).fill(0xaa)]],
      }),
    ),
  );
  const own = ["probe_read_kernel", "probe_read_kernel_str"].flatMap((name) =>
    [1, 3, 6, 7, 20].map(
      (size): CallScript => ({
        ...plain(`${name} own ${size}`, [name, mem(0), size, mem(100)]),
        init: [[100, "hello\0world\0"]],
      }),
    ),
  );
  const compared = ["abc", "abd", "ab", "", "\xff", "b"].flatMap((text) =>
    [1, 2, 3, 10].map(
      (size): CallScript => ({
        ...plain(`compare ${text} ${size}`, ["strncmp", mem(0), size, fmt(0)]),
        init: [[0, text]],
        format: "abc\0\0\0\0\0",
      }),
    ),
  );
  const spans = [
    [64, 0, 8],
    [64, 60, 4],
    [64, 60, 5],
    [64, 64, 0],
    [64, 65, 0],
    [0, 0, 0],
    [64, 0xffff_ffff, 8],
  ] as const;
  const dynptrs = spans.flatMap(([bytes, offset, size]) =>
    [0, 1].map(
      (flags): CallScript => ({
        ...plain(
          `dynptr ${bytes} ${offset} ${size} ${flags}`,
          ["dynptr_from_mem", mem(0), bytes, 0, stack(-16)],
          ["dynptr_read", mem(256), size, stack(-16), offset, flags],
          ["dynptr_write", stack(-16), offset, mem(512), size, flags],
          ["dynptr_data", stack(-16), offset, size],
          ["dynptr_from_mem", mem(0), bytes, 1, stack(-16)],
          ["dynptr_read", mem(256), size, stack(-16), offset, flags],
        ),
        init: [
          [0, "abcdefghijklmnopqrstuvwxyz"],
          [512, "ABCDEFGHIJ"],
        ],
      }),
    ),
  );
  return [...reads, ...own, ...compared, ...dynptrs];
}

const key = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

function mapScripts(): CallScript[] {
  const stores = [1, 2].flatMap((type) =>
    [0, 1, 2, 3, 4, 1n << 32n].flatMap((flags) =>
      [0, 1, 5].map(
        (first): CallScript => ({
          ...plain(
            `map ${type} ${flags} ${first}`,
            ["map_lookup_elem", map(0), mem(0)],
            ["map_update_elem", map(0), mem(0), mem(16), flags],
            ["map_update_elem", map(0), mem(8), mem(16), flags],
            ["map_update_elem", map(0), mem(24), mem(16), 0],
            ["map_update_elem", map(0), mem(32), mem(16), 0],
            ["map_delete_elem", map(0), mem(0)],
            ["map_delete_elem", map(0), mem(0)],
            ["map_lookup_elem", map(0), mem(0)],
          ),
          maps: [{ type, key_size: 4, value_size: 8, max_entries: 2 }],
          init: [key(first), key(1), key(77), key(6), key(7)].map((bytes, idx) => [8 * idx, bytes] as const),
        }),
      ),
    ),
  );
  const queues = [22, 23].flatMap((type) =>
    [0, 1, 2, 3].map(
      (flags): CallScript => ({
        ...plain(
          `queue ${type} ${flags}`,
          ["map_peek_elem", map(0), mem(64)],
          ["map_push_elem", map(0), mem(0), flags],
          ["map_push_elem", map(0), mem(8), flags],
          ["map_push_elem", map(0), mem(16), flags],
          ["map_peek_elem", map(0), mem(72)],
          ["map_pop_elem", map(0), mem(80)],
          ["map_pop_elem", map(0), mem(88)],
          ["map_pop_elem", map(0), mem(96)],
        ),
        maps: [{ type, key_size: 0, value_size: 8, max_entries: 2 }],
        init: [
          [0, "aaaaaaaabbbbbbbbcccccccc"],
          [64, new Uint8Array(64).fill(0xee)],
        ],
      }),
    ),
  );
  const rings = [0, 8, 2000].flatMap((size) =>
    [0, 1, 3, 4, 1n << 32n].map(
      (flags): CallScript => ({
        ...plain(
          `ring ${size} ${flags}`,
          ["ringbuf_output", map(0), mem(0), size, flags],
          ["ringbuf_query", map(0), 0],
          ["ringbuf_query", map(0), 1],
          ["ringbuf_query", map(0), 3],
          ["ringbuf_output", map(0), mem(0), 2000, 0],
          ["ringbuf_output", map(0), mem(0), 2000, 0],
          ["ringbuf_query", map(0), 9],
          ["ringbuf_reserve_dynptr", map(0), size, flags, stack(-16)],
          ["ringbuf_query", map(0), 3],
          ["ringbuf_submit_dynptr", stack(-16), 0],
          ["ringbuf_reserve_dynptr", map(0), 0x100_0000, 0, stack(-16)],
          ["ringbuf_discard_dynptr", stack(-16), 0],
        ),
        maps: [{ type: 27, key_size: 0, value_size: 0, max_entries: 4096 }],
      }),
    ),
  );
  return [...stores, ...queues, ...rings];
}

/** Scripts about text, memory and maps, that load and run on Linux 6.18. */
export const textScripts = (): readonly CallScript[] => [
  ...numberScripts(),
  ...formatScripts(),
  ...memoryScripts(),
  ...mapScripts(),
];
