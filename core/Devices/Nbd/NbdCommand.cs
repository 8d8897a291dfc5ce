// What a request asks for, how, and what an export says that it can do: as it goes over the wire.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;

namespace FastBackup.Devices.Nbd;

enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    Cache = 5,
    WriteZeroes = 6,
    BlockStatus = 7,
}

[Flags]
enum NbdCommandFlags : ushort
{
    None = 0,
    Fua = 1,
    NoHole = 2,

    /// <summary>Read: one chunk of data, or none.</summary>
    DontFragment = 4,

    /// <summary>BlockStatus: one extent a context.</summary>
    OneExtent = 8,

    /// <summary>WriteZeroes: only where that is faster than to write them.</summary>
    FastZero = 16,

    /// <summary>Extended headers: the length is that of the payload. On each Write.</summary>
    PayloadLength = 32,
}

[Flags]
enum NbdExportFlags : ushort
{
    None = 0,

    /// <summary>Every server sets it.</summary>
    HasFlags = 1,
    ReadOnly = 2,
    CanFlush = 4,
    CanFua = 8,
    CanTrim = 32,
    CanWriteZeroes = 64,
    CanDontFragment = 128,

    /// <summary>A flush on one connection covers what was answered on all.</summary>
    CanMultiConnect = 256,
    CanCache = 1024,
    CanFastZero = 2048,
}
