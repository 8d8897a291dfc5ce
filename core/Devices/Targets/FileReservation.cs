// A file whose name another will take: nobody who writes to it loses it so, and nobody begins to write to it meanwhile.
// Those who only read it keep what they have open.
using FastBackup.Devices.Opening;

namespace FastBackup.Devices.Targets;

/// <summary>Threads: any, one at a time.</summary>
sealed class FileReservation : System.IDisposable
{
    readonly OpenedFile _file;

    FileReservation(OpenedFile file) => _file = file;

    /// <param name="fd">Of a regular file, open for reading; stays the caller's.</param>
    /// <param name="options">What may be lost.</param>
    /// <param name="reservation">Null when refused, and where nothing can be known.</param>
    /// <returns>None, or who uses it, or that it is no raw disk.</returns>
    public static OpenRefusal TryTake(int fd, TargetOptions options, out FileReservation? reservation)
    {
        reservation = null;
        string path = options.Path;
        int own = DiskFiles.Current.Reopen(fd);
        if (own < 0 || !DiskFiles.Current.TryAdopt(path, own, out OpenedFile? file).IsNone)
            return default;
        FileOpenOptions how = new()
        {
            Path = path,
            IsReadOnly = true,
            IsLockIgnored = options.IsLockIgnored,
        };
        _ = UseRules.Check(file!, how, out string? usedBy);
        OpenRefusal refusal = usedBy == null ? default : OpenRefusal.InUse($"'{path}' is {usedBy}");
        if (refusal.IsNone && options.Format != FormatRule.Raw)
            refusal = FormatProbe.Refuse(file!, file!.FileBytes, path, out _);
        if (refusal.IsNone)
            reservation = new FileReservation(file!);
        else
            file!.Close();
        return refusal;
    }

    public void Dispose() => _file.Close();
}
