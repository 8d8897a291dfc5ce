// What one opening of an image does and what it lets nobody else do, until it is given back.
namespace FastBackup.Devices.Opening;

/// <summary>Threads: any. Give it back once.</summary>
/// <param name="file">Of the image.</param>
/// <param name="isWriter">Also counted among those that write.</param>
/// <param name="used">What it does.</param>
/// <param name="unshared">What others may not.</param>
sealed class ImageHold(ImageLockFile file, bool isWriter, ImagePermissions used, ImagePermissions unshared)
{
    public bool IsWriter => isWriter;

    public ImagePermissions Used => used;

    public ImagePermissions Unshared => unshared;

    /// <summary>The locks that nobody else in this process needs go; the last opening closes the descriptor.</summary>
    public void Return() => ImageLocks.Return(file, this);
}
