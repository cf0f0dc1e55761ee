import { ERRNO } from "@tsbpf/abi";
import type { Status } from "@tsbpf/plugin";

/** Negative error numbers as maps return them; 0 is success. */
export const OK: Status = 0;
export const EPERM: Status = -ERRNO.EPERM;
export const ENOENT: Status = -ERRNO.ENOENT;
export const E2BIG: Status = -ERRNO.E2BIG;
export const EBADF: Status = -ERRNO.EBADF;
export const EAGAIN: Status = -ERRNO.EAGAIN;
export const ENOMEM: Status = -ERRNO.ENOMEM;
export const EBUSY: Status = -ERRNO.EBUSY;
export const EEXIST: Status = -ERRNO.EEXIST;
export const ENODEV: Status = -ERRNO.ENODEV;
export const EINVAL: Status = -ERRNO.EINVAL;
export const ENOSPC: Status = -ERRNO.ENOSPC;
export const EOVERFLOW: Status = -ERRNO.EOVERFLOW;
export const EOPNOTSUPP: Status = -ERRNO.EOPNOTSUPP;
export const ENOTSUPP: Status = -ERRNO.ENOTSUPP;
