// The modules of a kernel package that a guest loads, in the order in which they can be loaded. The package has no
// modules.dep (depmod makes it at installation), but each module names what it needs in its section .modinfo, as
// "depends=a,b" between zero bytes. Source: Linux kernel/module, scripts/mod/modpost.c.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

namespace FastBackup.Tests.Hosts.Guest;

static class KernelModules
{
    /// <param name="moduleFolder">With everything below it.</param>
    /// <param name="names">What the guest needs; a name that is no module is in the kernel itself.</param>
    /// <returns>Files, each after those that it depends on.</returns>
    public static IReadOnlyList<string> InOrder(string moduleFolder, params string[] names)
    {
        Dictionary<string, string> files = Directory
            .EnumerateFiles(moduleFolder, "*.ko", SearchOption.AllDirectories)
            .ToDictionary(path => NameOf(path), path => path);
        Requires.That(files.Count > 0, "needs a kernel package whose modules are not compressed");
        List<string> order = [];
        foreach (string name in names)
            Add(name, files, order);
        return order;
    }

    static void Add(string name, Dictionary<string, string> files, List<string> order)
    {
        if (!files.TryGetValue(name, out string? file) || order.Contains(file))
            return;
        foreach (string needed in Depends(file))
            Add(needed, files, order);
        order.Add(file);
    }

    static string[] Depends(string file)
    {
        ReadOnlySpan<byte> content = File.ReadAllBytes(file);
        int at = content.IndexOf("\0depends="u8);
        if (at < 0)
            return [];
        ReadOnlySpan<byte> value = content[(at + "\0depends="u8.Length)..];
        string names = Encoding.ASCII.GetString(value[..value.IndexOf((byte)0)]);
        return [.. names.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Normal)];
    }

    static string NameOf(string path) => Normal(Path.GetFileNameWithoutExtension(path));

    static string Normal(string name) => name.Replace('-', '_');
}
