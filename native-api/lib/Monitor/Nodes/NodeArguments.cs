// What blockdev-add may be told, for drivers file, host_device, nbd, qcow2, raw, rbd and x-repository; in the order of
// QEMU's schema. Hints that have no meaning here are taken and forgotten.
// Source: QEMU 7.2 qapi/block-core.json, BlockdevOptions.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

sealed record NodeArguments
{
    static readonly string[] s_drivers = ["file", "host_device", "nbd", "qcow2", "raw", "rbd", "x-repository"];
    static readonly string[] s_discard = ["ignore", "unmap"];
    static readonly string[] s_detectZeroes = ["off", "on", "unmap"];
    static readonly string[] s_onOffAuto = ["auto", "on", "off"];
    const int LockingOff = 2; // of s_onOffAuto

    static readonly string[] s_sockets = ["inet", "unix"];
    const int SocketUnix = 1; // of s_sockets

    static readonly string[] s_formats = ["raw", "qcow2"];
    static readonly string[] s_compressions = ["zlib", "zstd"];
    static readonly string[] s_preallocations = ["off", "metadata"];
    static readonly string[] s_aio = ["threads", "native", "io_uring"];

    public string Driver { get; private init; } = "";

    /// <summary>Null: none was given.</summary>
    public string? Name { get; private init; }
    public bool? IsDirect { get; private init; }
    public bool IsWithoutFlush { get; private init; }
    public bool IsReadOnly { get; private init; }
    public bool IsAutoReadOnly { get; private init; }
    public bool IsForceShare { get; private init; }

    /// <summary>Nobody is asked whether the file is in use, and nobody told.</summary>
    public bool IsLockIgnored { get; private init; }

    /// <summary>Of drivers file and host_device; of nbd and rbd the name of the disk, as other tools take it.</summary>
    public string FileName { get; private init; } = "";

    /// <summary>Of driver nbd.</summary>
    public RemoteOpenOptions Remote { get; private init; } = new();

    public bool IsRemote => Driver is "nbd" or "rbd";

    /// <summary>An image format, by which what it lies on is read.</summary>
    public bool IsImage => Driver == "qcow2";

    /// <summary>Of driver x-repository.</summary>
    public PointMaking? Point { get; private init; }

    /// <summary>Of driver qcow2: the image is made, with its file; null: it is there.</summary>
    public ImageMaking? New { get; private init; }

    /// <summary>Of drivers raw and qcow2: the node that it lies on, by name ...</summary>
    public string? FileNode { get; private init; }

    /// <summary>... or as it is to be made.</summary>
    public NodeArguments? File { get; private init; }

    /// <summary>Problems stay in the reader.</summary>
    public static NodeArguments Read(ArgumentReader arguments)
    {
        int? driver = arguments.Word("driver", s_drivers, isNeeded: true);
        NodeArguments read = new()
        {
            Driver = driver is { } known ? s_drivers[known] : "",
            Name = arguments.OptionalText("node-name"),
        };
        if (driver == null)
            return read;
        _ = arguments.Word("discard", s_discard);
        ArgumentReader? cache = arguments.Object("cache");
        read = read with { IsDirect = cache?.Bool("direct"), IsWithoutFlush = cache?.Bool("no-flush") ?? false };
        _ = cache?.End();
        read = read with
        {
            IsReadOnly = arguments.Bool("read-only") ?? false,
            IsAutoReadOnly = arguments.Bool("auto-read-only") ?? false,
            IsForceShare = arguments.Bool("force-share") ?? false,
        };
        _ = arguments.Word("detect-zeroes", s_detectZeroes);
        read = read.Driver switch
        {
            "raw" => ReadOver(arguments, read),
            "qcow2" => ReadImage(arguments, read),
            "nbd" => ReadRemote(arguments, read),
            "rbd" => ReadRbd(arguments, read),
            "x-repository" => ReadPoint(arguments, read),
            _ => ReadFile(arguments, read),
        };
        _ = arguments.End();
        return read;
    }

    static NodeArguments ReadFile(ArgumentReader arguments, NodeArguments read)
    {
        read = read with { FileName = arguments.Text("filename") };
        read = read with { IsLockIgnored = arguments.Word("locking", s_onOffAuto) == LockingOff || read.IsForceShare };
        _ = arguments.Word("aio", s_aio);
        _ = arguments.OptionalInteger("aio-max-batch");
        _ = arguments.Bool("drop-cache");
        return read;
    }

    /// <summary>As in QEMU a server may not be gone at all unless it is said for how long.</summary>
    static NodeArguments ReadRemote(ArgumentReader arguments, NodeArguments read)
    {
        string address = "";
        string path = "";
        if (arguments.Object("server", isNeeded: true) is { } server)
        {
            bool isUnix = server.Word("type", s_sockets, isNeeded: true) == SocketUnix;
            string host = isUnix ? "" : server.Text("host");
            path = isUnix ? server.Text("path") : "";
            string port = isUnix ? "" : ":" + server.Text("port");
            address = (host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host) + port;
            _ = server.End();
        }
        string export = Escape(arguments.OptionalText("export") ?? "");
        uint seconds = arguments.UInt32("reconnect-delay") ?? 0;
        return read with
        {
            FileName = path.Length > 0 ? $"nbd+unix:///{export}?socket={Escape(path)}" : $"nbd://{address}/{export}",
            Remote = new RemoteOpenOptions { ReconnectNs = seconds * Units.NsPerSecond },
        };
    }

    static NodeArguments ReadRbd(ArgumentReader arguments, NodeArguments read)
    {
        string name = "rbd:" + arguments.Text("pool") + "/";
        if (arguments.OptionalText("namespace") is { } space)
            name += space + "/";
        name += arguments.Text("image");
        if (arguments.OptionalText("snapshot") is { } snapshot)
            name += "@" + snapshot;
        if (arguments.OptionalText("conf") is { } conf)
            name += ":conf=" + conf;
        if (arguments.OptionalText("user") is { } user)
            name += ":id=" + user;
        return read with { FileName = name };
    }

    static NodeArguments ReadPoint(ArgumentReader arguments, NodeArguments read)
    {
        PointMaking making = new(arguments.Text("repository"), arguments.Text("disk"))
        {
            PasswordFile = arguments.OptionalText("password-file"),
            Host = arguments.OptionalText("host"),
            SizeBytes = arguments.Integer("size"),
            Parent = arguments.OptionalText("parent"),
            ChunkBytes = arguments.OptionalInteger("chunk-size"),
            PackBytes = arguments.OptionalInteger("pack-size"),
            Tag = arguments.OptionalText("tag"),
            MayCreate = arguments.Bool("create") ?? false,
        };
        return read with { FileName = making.Repository, Point = making };
    }

    static string Escape(string text) => Uri.EscapeDataString(text).Replace("%2F", "/", StringComparison.Ordinal);

    static NodeArguments ReadImage(ArgumentReader arguments, NodeArguments read)
    {
        read = ReadOver(arguments, read);
        if (arguments.Object("x-new") is not { } making)
            return read;
        ulong size = (ulong)Math.Max(0, making.Integer("size"));
        string? backing = making.OptionalText("backing");
        FormatRule rule = making.Word("backing-format", s_formats) switch
        {
            0 => FormatRule.Raw,
            1 => FormatRule.Qcow2,
            _ => FormatRule.Refused,
        };
        Qcow2Compression? type = making.Word("compress", s_compressions) switch
        {
            0 => Qcow2Compression.Zlib,
            1 => Qcow2Compression.Zstd,
            _ => null,
        };
        bool isPreallocated = making.Word("preallocation", s_preallocations) == 1;
        _ = making.End();
        NewImagePacking? packing = type is { } known ? new NewImagePacking(known, Level: 1) : null;
        return read with { New = new ImageMaking(size, packing, backing, rule) { IsPreallocated = isPreallocated } };
    }

    static NodeArguments ReadOver(ArgumentReader arguments, NodeArguments read)
    {
        string? node = arguments.TextOrObject("file", "BlockdevRef", out ArgumentReader? inside);
        return read with { FileNode = node, File = inside is { } file ? Read(file) : null };
    }
}
