// What lies under a name, or is open by a descriptor: kind, identity, owner, mode.
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <param name="Type">S_IFREG and the like; 0: nothing.</param>
/// <param name="Identity">Of a file; of a device only the number of its node.</param>
/// <param name="Mode">Permission bits, at most 07777.</param>
/// <param name="UserId">Owner.</param>
/// <param name="GroupId">Group.</param>
/// <param name="LinkCount">Names that the file has.</param>
/// <param name="SizeBytes">Of a file.</param>
/// <param name="AllocatedBytes">What a file takes on its file system.</param>
public readonly record struct NameLook(
    int Type,
    FileIdentity Identity,
    uint Mode,
    uint UserId,
    uint GroupId,
    uint LinkCount,
    ulong SizeBytes,
    ulong AllocatedBytes
)
{
    const uint PermissionBits = 0xFFF;
    const ulong StatBlockBytes = 512; // whatever the file system's own unit is. Source: statx(2)

    public bool IsNothing => Type == 0;

    public bool IsFile => Type == Files.S_IFREG;

    public bool IsFolder => Type == Files.S_IFDIR;

    public bool IsBlockDevice => Type == Files.S_IFBLK;

    public bool IsLink => Type == Folders.S_IFLNK;

    public static NameLook Of(in Statx status) =>
        new(
            status.Mode & Files.S_IFMT,
            new FileIdentity(false, (ulong)status.DevMajor << 32 | status.DevMinor, status.Inode),
            status.Mode & PermissionBits,
            status.UserId,
            status.GroupId,
            status.LinkCount,
            status.SizeBytes,
            status.Blocks * StatBlockBytes
        );

    /// <summary>As NameCalls.Look, and nothing under the name is no error.</summary>
    public static Fault TryTake(NameCalls calls, int folderFd, string name, out NameLook look)
    {
        int result = calls.Look(folderFd, name, out look);
        return result is >= 0 or -Errnos.ENOENT ? Fault.None : Errnos.ToFault(-result);
    }
}
