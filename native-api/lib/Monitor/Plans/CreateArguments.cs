// What blockdev-create may be told: a file, or an image in a node's file; in the order of QEMU's schema.
// Source: QEMU 7.2 qapi/block-core.json, BlockdevCreateOptions.
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Nodes;

namespace FastBackup.Native.Monitor.Plans;

sealed record CreateArguments
{
    static readonly string[] s_drivers = ["file", "qcow2"];
    static readonly string[] s_versions = ["v2", "v3"];
    static readonly string[] s_formats = ["raw", "qcow2"];
    static readonly string[] s_compressions = ["zlib", "zstd"];
    static readonly string[] s_preallocations = ["off", "metadata", "falloc", "full"];
    const int Metadata = 1; // of s_preallocations
    const int Falloc = 2;
    const int Full = 3;

    public required string JobId { get; init; }

    /// <summary>Of driver file: the path.</summary>
    public string FileName { get; private init; } = "";

    /// <summary>Of driver file.</summary>
    public long SizeBytes { get; private init; }

    /// <summary>Of driver file: its space is taken at once.</summary>
    public bool IsAllocated { get; private init; }

    /// <summary>Of driver qcow2: the node that it comes into; null: it is a file.</summary>
    public string? FileNode { get; private init; }

    /// <summary>Of driver qcow2: the node for the guest's data; null: it is in the image.</summary>
    public string? DataNode { get; private init; }

    /// <summary>Of driver qcow2, but for the name of the data file.</summary>
    public BlankImageOptions? Image { get; private init; }

    /// <summary>What the schema allows and is not there all the same: said after what the schema forbids.</summary>
    public string? Wrong { get; private init; }

    /// <summary>Problems with the schema stay in the reader.</summary>
    public static CreateArguments Read(ArgumentReader arguments)
    {
        CreateArguments read = new() { JobId = arguments.Text("job-id") };
        if (arguments.Object("options", isNeeded: true) is not { } options)
            return read;
        int? driver = options.Word("driver", s_drivers, isNeeded: true);
        if (driver == null)
            return read;
        read = driver == 0 ? ReadFile(options, read) : ReadImage(options, read);
        _ = options.End();
        return read;
    }

    static CreateArguments ReadFile(ArgumentReader options, CreateArguments read)
    {
        string? wrong = null;
        read = read with { FileName = options.Text("filename"), SizeBytes = options.Integer("size") };
        int? preallocation = options.Word("preallocation", s_preallocations);
        if (preallocation is Metadata or Full)
            wrong ??= $"preallocation '{s_preallocations[preallocation.Value]}' is not there for files: off, falloc";
        if (!System.IO.Path.IsPathRooted(read.FileName))
            wrong ??= $"filename '{read.FileName}' is no whole path: whose folder it would be in is not said";
        if (read.SizeBytes < 0)
            wrong ??= "Parameter 'options.size' expects a size";
        return read with { IsAllocated = preallocation == Falloc, Wrong = wrong };
    }

    static CreateArguments ReadImage(ArgumentReader options, CreateArguments read)
    {
        string? wrong = null;
        string? file = ReadNode(options, "file", ref wrong);
        string? data = options.Has("data-file") ? ReadNode(options, "data-file", ref wrong) : null;
        bool isRaw = options.Bool("data-file-raw") ?? false;
        bool hasSubclusters = options.Bool("extended-l2") ?? false;
        long size = options.Integer("size");
        uint version = options.Word("version", s_versions) == 0 ? 2u : 3u;
        string? backing = options.OptionalText("backing-file");
        string? format = options.Word("backing-fmt", s_formats) is { } known ? s_formats[known] : null;
        long cluster = options.OptionalInteger("cluster-size") ?? 65536;
        int? preallocation = options.Word("preallocation", s_preallocations);
        bool isLazy = options.Bool("lazy-refcounts") ?? false;
        long bits = options.OptionalInteger("refcount-bits") ?? 16;
        bool isZstd = options.Word("compression-type", s_compressions) == 1;
        if (preallocation is Falloc or Full)
            wrong ??= $"preallocation '{s_preallocations[preallocation.Value]}' is not there for images: off, metadata";
        if (size < 0 || cluster <= 0 || bits is <= 0 or > 64)
            wrong ??= "size, cluster-size and refcount-bits are no numbers below 0; there are 64 bits at most";
        if (backing != null && format == null)
            wrong ??= "backing-file takes its backing-fmt, raw or qcow2: nobody guesses what a file is";
        if (backing is { Length: 0 or > NewImageOptions.BackingNameBytesMax })
            wrong ??= "backing-file has 1 to 1023 bytes";
        return read with
        {
            Wrong = wrong,
            FileNode = file ?? "",
            DataNode = data,
            Image = new BlankImageOptions
            {
                SizeBytes = (ulong)System.Math.Max(0, size),
                Version = version,
                ClusterBytes = (ulong)System.Math.Max(1, cluster),
                RefcountBits = (uint)System.Math.Clamp(bits, 1, 64),
                HasSubclusters = hasSubclusters,
                IsLazy = isLazy,
                Compression = isZstd ? Qcow2Compression.Zstd : Qcow2Compression.Zlib,
                BackingName = backing,
                BackingFormat = format,
                DataFileName = data, // its file's name comes when the node is looked up
                IsDataFileRaw = isRaw,
                IsPreallocated = preallocation == Metadata || isRaw,
            },
        };
    }

    /// <summary>Nodes are named: one that came inside would have to be opened first.</summary>
    static string? ReadNode(ArgumentReader options, string name, ref string? wrong)
    {
        string? node = options.TextOrObject(name, "BlockdevRef", out ArgumentReader? inside);
        if (inside is not { } opened)
            return node;
        _ = NodeArguments.Read(opened);
        wrong ??= $"{name} is the name of a node here: open it by blockdev-add first";
        return node;
    }
}
