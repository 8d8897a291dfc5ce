// What follows when a disk is in use: nobody writes beside another; who reads is told, because what he reads may be
// half old and half new. Asked are the locks on the image, then the kernel.
namespace FastBackup.Devices.Opening;

static class UseRules
{
    /// <param name="file">Just opened.</param>
    /// <param name="options">How.</param>
    /// <param name="usedBy">How it is used, to follow on "is"; null: not that anybody knew.</param>
    /// <returns>None, or why it may not be written.</returns>
    public static OpenRefusal Check(OpenedFile file, FileOpenOptions options, out string? usedBy)
    {
        usedBy = null;
        if (options.IsLockIgnored)
            return default;
        usedBy = file.FindUse(options);
        return usedBy == null || options.IsReadOnly
            ? default
            : OpenRefusal.InUse($"'{options.Path}' is {usedBy}; release it first");
    }

    public static string? Describe(ImageUse use) =>
        use switch
        {
            ImageUse.Free => null,
            ImageUse.WrittenHere => "being written already, by this or another program",
            ImageUse.Written => "being written by another program that holds its lock, perhaps a virtual machine",
            _ => "in use by another program that holds its lock",
        };
}
