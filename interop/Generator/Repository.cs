// Where the tree lies, seen from the running program.
using System;
using System.IO;

namespace FastBackup.Interop.Generator;

static class Repository
{
    /// <returns>The folder with FastBackup.sln above this program.</returns>
    public static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "FastBackup.sln")))
                return folder.FullName;
        throw new GeneratorException("FastBackup.sln is in no folder above " + AppContext.BaseDirectory);
    }
}
