// Where a reader of the snapshot finds old data on its way from the source to the target.
namespace FastBackup.Copy;

/// <summary>Where old data is that guests may have overwritten and that the target does not have yet.</summary>
public enum CapturedPlace
{
    /// <summary>Not here: on the target, or still on the source.</summary>
    None,

    /// <summary>In memory: <see cref="CopyEngine.ReadCaptured"/> copies it.</summary>
    Memory,

    /// <summary>In scratch space: <see cref="CopyEngine.PinScratch"/> says where.</summary>
    Scratch,
}
