// Whether somebody else uses an image.
namespace FastBackup.Devices.Opening;

enum ImageUse
{
    /// <summary>Nobody in a way that matters.</summary>
    Free,

    /// <summary>This process writes to it already.</summary>
    WrittenHere,

    /// <summary>Another program writes to it.</summary>
    Written,

    /// <summary>Another program lets nobody do what was asked for.</summary>
    Reserved,
}
