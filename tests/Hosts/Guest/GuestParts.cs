// What a guest is made of: a kernel of Debian's for virtual machines and a static busybox. Both are fetched once by the
// package manager, unpacked into the user's cache and never installed: /boot and the hooks of kernel packages are left
// alone. Works for every user on a system with apt, also where its lists were never fetched.
using System;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Hosts.Guest;

/// <param name="Kernel">The bzImage.</param>
/// <param name="ModuleFolder">lib/modules/RELEASE/kernel of its package.</param>
/// <param name="Busybox">The static program.</param>
sealed record GuestParts(string Kernel, string ModuleFolder, string Busybox)
{
    const string KernelPackage = "linux-image-cloud-amd64";
    const string BusyboxPackage = "busybox-static";
    const int FetchSeconds = 300;

    static readonly Lock OneAtATime = new();

    /// <summary>Gets them from the cache, or fetches them into it. Where that cannot be the test is skipped.</summary>
    public static GuestParts Get()
    {
        Requires.Command("apt-get");
        Requires.Command("dpkg-deb");
        lock (OneAtATime)
        {
            string kernel = Find("linux-image-") ?? Fetch(apt => apt.FirstDependency(KernelPackage));
            string busybox = Find(BusyboxPackage) ?? Fetch(_ => BusyboxPackage);
            string release = Directory.GetDirectories(Below(kernel, "lib/modules")).Single();
            return new GuestParts(
                Directory.GetFiles(Path.Combine(kernel, "boot"), "vmlinuz-*").Single(),
                Path.Combine(release, "kernel"),
                Below(busybox, "bin/busybox")
            );
        }
    }

    static string CacheFolder
    {
        get
        {
            string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string root = string.IsNullOrEmpty(cache) ? Path.Combine(home, ".cache") : cache;
            return Directory.CreateDirectory(Path.Combine(root, "fastbackup-tests", "guest")).FullName;
        }
    }

    /// <returns>The newest unpacked package whose name begins so, or null.</returns>
    static string? Find(string packagePrefix) =>
        Directory
            .GetDirectories(CacheFolder, packagePrefix + "*")
            .OrderByDescending(Directory.GetCreationTimeUtc)
            .FirstOrDefault();

    /// <summary>Downloads and unpacks beside the cache's folders, and renames: what is in the cache is whole.</summary>
    /// <returns>The folder, named as the package's file: with its version.</returns>
    static string Fetch(Func<AptSource, string> choosePackage)
    {
        using TimeLimit limit = new(FetchSeconds);
        string work = Directory.CreateDirectory(Path.Combine(CacheFolder, ".new-" + Guid.NewGuid())).FullName;
        try
        {
            string file = Download(new AptSource(work, limit.Cancel), choosePackage);
            string content = Path.Combine(work, "content");
            Tool.Run("dpkg-deb", "-x", file, content);
            string kept = Path.Combine(CacheFolder, Path.GetFileNameWithoutExtension(file));
            if (!Directory.Exists(kept))
                Directory.Move(content, kept);
            return kept;
        }
        catch (PeerException failure)
        {
            Requires.That(false, "needs Debian packages through apt-get download: " + failure.Message);
            throw;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    static string Download(AptSource apt, Func<AptSource, string> choosePackage)
    {
        try
        {
            return apt.Download(choosePackage(apt));
        }
        catch (PeerException)
        {
            apt.FetchLists();
            return apt.Download(choosePackage(apt));
        }
    }

    /// <summary>Newer packages have everything below usr.</summary>
    static string Below(string package, string path) =>
        new[] { Path.Combine(package, path), Path.Combine(package, "usr", path) }.First(Path.Exists);
}
