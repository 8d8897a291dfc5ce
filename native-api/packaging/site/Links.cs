// The links of a page: those into the tree become links to pages of the site, for which a page is made where there is
// none: of a file its text, of a folder its README or its files.
using System;
using System.Collections.Generic;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace FastBackup.Site;

/// <param name="page">Whose links they are.</param>
/// <param name="known">All pages, by their sources; takes new ones.</param>
/// <param name="add">Takes a new page, too.</param>
sealed class Links(Page page, Dictionary<string, Page> known, Action<Page> add)
{
    /// <param name="document">Of the page; is changed.</param>
    public void Turn(MarkdownDocument document)
    {
        foreach (LinkInline link in document.Descendants<LinkInline>())
        {
            if (link.IsImage)
                throw new SiteException($"{page.Source}: images are not taken: {link.Url}");
            string url = link.Url ?? "";
            if (IsOutside(url) || url.StartsWith('#') || page.Group == Page.CommandGroup)
                continue;
            string[] parts = url.Split('#', 2);
            link.Url =
                Find(url, SourceTree.Resolve(page.Source, parts[0])).FileName
                + (parts.Length > 1 ? "#" + parts[1] : "");
        }
    }

    Page Find(string url, string name)
    {
        if (known.TryGetValue(name, out Page? found) || known.TryGetValue(name + "/README.md", out found))
            return found;
        if (name.StartsWith("..", StringComparison.Ordinal))
            throw new SiteException($"{page.Source} links to '{url}', which is outside of the tree");
        found =
            SourceTree.HasFile(name) ? Page.OfSource(name)
            : SourceTree.HasFolder(name) ? Page.OfFolder(name)
            : throw new SiteException($"{page.Source} links to '{url}', which is not there");
        known.Add(name, found);
        add(found);
        return found;
    }

    /// <param name="page">Whose links they are.</param>
    /// <param name="document">Of it, with links of the site.</param>
    /// <param name="anchors">Of each page, by its file.</param>
    public static void Check(Page page, MarkdownDocument document, Dictionary<string, HashSet<string>> anchors)
    {
        foreach (LinkInline link in document.Descendants<LinkInline>())
        {
            if (IsOutside(link.Url!))
                continue;
            string[] parts = link.Url!.Split('#', 2);
            string file = parts[0].Length > 0 ? parts[0] : page.FileName;
            if (!anchors.TryGetValue(file, out HashSet<string>? ids))
                throw new SiteException($"{page.Source} links to the page {file}, which is not there");
            if (parts.Length > 1 && !ids.Contains(parts[1]))
                throw new SiteException(
                    $"{page.Source} links to '{parts[1]}' in {file}, where no heading is called so"
                );
        }
    }

    static bool IsOutside(string url) =>
        url.StartsWith("https://", StringComparison.Ordinal) || url.StartsWith("http://", StringComparison.Ordinal);
}
