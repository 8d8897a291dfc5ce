// Where a copy shall be written, and what may be lost for it.

using FastBackup.Devices.Opening;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

public sealed record TargetOptions
{
    /// <summary>As people gave it; a symbolic link is followed.</summary>
    public required string Path { get; init; }

    /// <summary>Whether an existing file or a left-over partial may be replaced, a block device overwritten.</summary>
    public bool MayReplace { get; init; }

    /// <summary>A left-over partial is gone on with instead, or what is on a block device.</summary>
    public bool MayResume { get; init; }

    /// <summary>Of a new file; a block device has its own.</summary>
    public required ulong SizeBytes { get; init; }

    /// <summary>How people allow that here, for sentences.</summary>
    public string ReplaceWord { get; init; } = "--force";

    /// <summary>How people go on with a left-over partial here, for sentences; null: they cannot.</summary>
    public string? ResumeWord { get; init; }

    /// <summary>The disk that is copied, which is never its own target; null: not known here.</summary>
    public FileIdentity? Source { get; init; }

    /// <summary>What it is made of: no part of it is its target either.</summary>
    public StorageIdentity? SourceStorage { get; init; }

    /// <summary>What is to be replaced is a disk of another format only when somebody says that it is raw.</summary>
    public FormatRule Format { get; init; }

    /// <summary>How people say so here, for sentences.</summary>
    public string RawWord { get; init; } = "--format raw";

    /// <summary>Nobody is asked whether the target is in use.</summary>
    public bool IsLockIgnored { get; init; }

    /// <summary>How people say so here, for sentences.</summary>
    public string IgnoreWord { get; init; } = "--ignore-locks";

    /// <summary>Its name, for sentences.</summary>
    public string SourceName { get; init; } = "";
}
