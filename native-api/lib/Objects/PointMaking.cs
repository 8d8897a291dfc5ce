// A point in a repository that a job is to make, as hosts and clients of monitors ask for it: checked, and opened.
using System;
using System.Globalization;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports;
using FastBackup.Repositories;

namespace FastBackup.Native.Objects;

/// <param name="Repository">A folder, rest:URL or s3:URL.</param>
/// <param name="Disk">What the disk is called there.</param>
sealed record PointMaking(string Repository, string Disk)
{
    /// <summary>Mode 0600; null: the environment says.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>Where there is no repository, one is made.</summary>
    public bool MayCreate { get; init; }

    /// <summary>Whose disk; null: this machine's.</summary>
    public string? Host { get; init; }

    public long SizeBytes { get; init; }

    /// <summary>Null: the job copies all.</summary>
    public string? Parent { get; init; }

    /// <summary>Null: as the parent has it, else by the size.</summary>
    public long? ChunkBytes { get; init; }

    public long? PackBytes { get; init; }

    /// <summary>A word on the point; null: none.</summary>
    public string? Tag { get; init; }

    /// <summary>What can be said without looking at anything.</summary>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public string? Check() =>
        StoreAddress.Check(Repository) is { } bad ? $"repository '{Repository}' {bad}"
        : Repository.Contains('\0', StringComparison.Ordinal) ? "a repository's name has a NUL inside"
        : DiskNames.Check(Disk) is { } odd ? $"disk name '{Disk}' {odd}"
        : Host != null && DiskNames.Check(Host) is { } strange ? $"host name '{Host}' {strange}"
        : SizeBytes <= 0 ? Say($"size {SizeBytes} is no size of a disk")
        : Parent is { } parent && !IsParent(parent)
            ? $"parent '{parent}' is neither 'latest' nor 8 digits of a point or more"
        : ChunkBytes is { } chunk && !IsWithin(chunk, DiskLayout.ChunkBytesMin, DiskLayout.ChunkBytesMax)
            ? Say(
                $"chunk size {chunk} is no power of two from {DiskLayout.ChunkBytesMin} to {DiskLayout.ChunkBytesMax}"
            )
        : PackBytes is < PointHead.PackBytesMin or > PointHead.PackBytesMax
            ? Say($"pack size {PackBytes} is not from {PointHead.PackBytesMin} to {PointHead.PackBytesMax}")
        : null;

    /// <summary>Opens the repository. Threads: any that may wait for it, but the loop's.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="target">The device; null when refused. Owner: the caller.</param>
    public OpenRefusal TryOpen(IIoLoop loop, out PointTarget? target)
    {
        target = null;
        if (Check() is { } wrong)
            return OpenRefusal.Rule(wrong);
        if (!OpenSsl.IsThere) // the runtime would end the process
            return new OpenRefusal(
                new Fault(FaultKind.Unsupported),
                "a repository's ciphers are OpenSSL's, which is not on this machine; install the package libssl3"
            );
        try
        {
            PointTargetOptions options = new()
            {
                Address = Repository,
                Password = PasswordSource.Read(PasswordFile, command: null, "password-file"),
                MayCreate = MayCreate,
                Host = Host ?? DiskNames.Host(),
                Disk = Disk,
                SizeBytes = (ulong)SizeBytes,
                Source = Disk,
                ChunkBytes = (ulong?)ChunkBytes,
                PackBytes = (int)(PackBytes ?? PointHead.PackBytesMin),
                Tags = Tag == null ? [] : [Tag],
                Parent = Parent,
            };
            target = PointTarget.Open(loop, options);
            return default;
        }
        catch (RepositoryException exception)
        {
            FaultKind kind = exception.Error switch
            {
                RepositoryError.Locked => FaultKind.State,
                RepositoryError.NoSpace => FaultKind.NoSpace,
                RepositoryError.Unreachable or RepositoryError.Damaged => FaultKind.Io,
                _ => FaultKind.Invalid,
            };
            return new OpenRefusal(new Fault(kind), exception.Message);
        }
    }

    static bool IsParent(string text) =>
        text == PointTargetOptions.Latest
        || text.Length is >= 8 and <= BlobId.Digits && text.All(char.IsAsciiHexDigitLower);

    static bool IsWithin(long bytes, ulong least, ulong most) =>
        bytes > 0 && (ulong)bytes >= least && (ulong)bytes <= most && Units.IsPowerOfTwo((ulong)bytes);

    static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
