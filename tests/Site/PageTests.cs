// The pages as a parser reads them: every link and anchor leads somewhere, nothing comes from elsewhere, every document
// and every command has its page, and what is wrong is refused with the file and the link.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using FastBackup.Site;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Site;

public sealed class PageTests(BuiltSite site) : IClassFixture<BuiltSite>
{
    [Fact]
    public void Links_LeadSomewhere()
    {
        int count = 0;
        foreach ((string name, IHtmlDocument page) in site.Pages)
        foreach (IElement link in page.QuerySelectorAll("a[href]"))
        {
            string url = link.GetAttribute("href")!;
            if (url.StartsWith("https://", StringComparison.Ordinal))
                continue;
            string[] parts = url.Split('#', 2);
            string target = parts[0].Length > 0 ? parts[0] : name;
            Assert.True(site.Pages.ContainsKey(target), $"{name}: {url}");
            if (parts.Length > 1)
                Assert.True(site.Pages[target].GetElementById(parts[1]) != null, $"{name}: {url}");
            count++;
        }
        Assert.True(count > 1000, $"{count} links");
    }

    /// <summary>No script, no image, no font, no style but the one beside them.</summary>
    [Fact]
    public void Pages_NeedNothingFromElsewhere()
    {
        foreach ((string name, IHtmlDocument page) in site.Pages)
        {
            Assert.True(page.QuerySelector("script, iframe, object, embed, img, [src], [style]") == null, name);
            Assert.Equal(["style.css"], page.QuerySelectorAll("link").Select(link => link.GetAttribute("href")));
        }
        string style = File.ReadAllText(Path.Combine(site.Folder, "style.css"));
        Assert.DoesNotContain("url(", style);
        Assert.DoesNotContain("@import", style);
        Assert.Equal(site.Pages.Count + 1, Directory.GetFileSystemEntries(site.Folder).Length);
    }

    [Fact]
    public void EveryPage_HasOneHeadingItsNameAndAPlaceInTheMenu()
    {
        string[] menu = [.. MenuOf(site.Pages["index.html"])];
        foreach ((string name, IHtmlDocument page) in site.Pages)
        {
            Assert.True(page.QuerySelectorAll("h1").Length == 1, name);
            Assert.NotEqual("", page.Title);
            Assert.Equal("en", page.DocumentElement.GetAttribute("lang"));
            Assert.Equal(menu, MenuOf(page));
            string[] ids = [.. page.QuerySelectorAll("[id]").Select(one => one.Id!)];
            Assert.True(ids.Length == ids.Distinct().Count(), name);
            bool isListed = menu.Contains(name);
            bool isOneOfMany = name.StartsWith("file-", StringComparison.Ordinal) || name.Split('-').Length > 2;
            Assert.True(isListed || isOneOfMany, name);
            Assert.Equal(isListed ? 1 : 0, page.QuerySelectorAll("nav [aria-current=page]").Length);
        }
        Assert.Equal(site.Pages.Count, site.Pages.Values.Select(page => page.Title).Distinct().Count());
    }

    /// <summary>Each document is there whole: all its headings, and its last words.</summary>
    [Fact]
    public void EveryDocument_IsThere()
    {
        string[] files = Directory.GetFiles(Repository.PathOf("native-api/docs"), "*.md");
        Assert.NotEmpty(files);
        foreach (string file in files)
        {
            IHtmlDocument page = site.Pages[Path.GetFileNameWithoutExtension(file) + ".html"];
            int told = File.ReadLines(file).Count(line => line.StartsWith("## ", StringComparison.Ordinal));
            Assert.Equal(told, page.QuerySelectorAll("main h2").Length);
            Assert.DoesNotContain("<!--", page.QuerySelector("main")!.InnerHtml);
        }
        IElement options = site.Pages["index.html"].QuerySelector("#options-of-backup")!;
        Assert.Equal("--sync full", options.NextElementSibling!.QuerySelector("td code")!.TextContent);
        Assert.Contains("--guest-priority strict|balanced|off", options.NextElementSibling.TextContent);
    }

    /// <summary>Every command that help names, with each option.</summary>
    [Fact]
    public void EveryCommand_HasItsPage()
    {
        foreach (Cli.CommandPage command in Cli.CommandTree.Reference().All)
        {
            IHtmlDocument page = site.Pages[command.FileName + ".html"];
            string text = page.QuerySelector("main")!.TextContent;
            Assert.Contains(command.Description, text);
            Assert.All(command.Options, option => Assert.Contains(option.LongName, text));
            Assert.All(command.Options, option => Assert.Contains(option.Description, text));
            Assert.All(command.Examples, example => Assert.Contains(example, text));
            Assert.All(command.Commands, one => Assert.Contains(one.FileName + ".html", page.Body!.InnerHtml));
        }
    }

    [Theory]
    [InlineData("[a](nothing.md)", "'nothing.md', which is not there")]
    [InlineData("[a](../outside.md)", "outside of the tree")]
    [InlineData("[a](#nowhere)\n\n## Somewhere", "'nowhere' in index.html")]
    [InlineData("[a](LICENSE#nowhere)", "'nowhere' in file-license.html")]
    [InlineData("<div>a</div>", "README.md:3: raw HTML")]
    [InlineData("![a](LICENSE)", "images are not taken")]
    public void WhatLeadsNowhere_IsRefused(string text, string sentence)
    {
        Page page = new("README.md", "index.html", "Begin", "A", $"# A\n\n{text}\n");
        SiteException refused = Assert.Throws<SiteException>(() => SiteBuilder.Build([page]));
        Assert.Contains(sentence, refused.Message);
    }

    [Theory]
    [InlineData("[a](#some-where)\n\n## Some `where`\n", "href=\"#some-where\"")]
    [InlineData("[a](LICENSE)", "href=\"file-license.html\"")]
    [InlineData("<!-- sh: run -->\n    a | b\n", "<code>a | b\n</code>")]
    [InlineData("| a |\n|---|\n| `b\\|c` |\n", "<code>b|c</code>")]
    public void WhatIsRight_IsTaken(string text, string html)
    {
        Page page = new("README.md", "index.html", "Begin", "A", $"# A\n\n{text}\n");
        Assert.Contains(html, SiteBuilder.Build([page])["index.html"]);
    }

    [Fact]
    public void Folder_OfSomethingElse_IsLeftAlone()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder["mine"]);
        File.WriteAllText(folder["mine/letter.html"], "mine");
        Assert.Contains("holds something else", BuiltSite.Make("--out", folder["mine"]).Expect(1).Error);
        Assert.Contains("is a file", BuiltSite.Make("--out", folder["mine/letter.html"]).Expect(1).Error);
        Assert.Equal(["letter.html"], Directory.GetFileSystemEntries(folder["mine"]).Select(Path.GetFileName));
        _ = BuiltSite.Make("--ouch").Expect(2);
        // A site is replaced, by the same bytes.
        _ = BuiltSite.Make("--out", folder["site"]).Expect(0);
        File.WriteAllText(folder["site/old.html"], "");
        _ = BuiltSite.Make("--out", folder["site"]).Expect(0);
        Assert.Equal(Picture(site.Folder), Picture(folder["site"]));
    }

    static IEnumerable<(string, string)> Picture(string folder) =>
        Directory
            .GetFiles(folder)
            .Order(StringComparer.Ordinal)
            .Select(path => (Path.GetFileName(path), File.ReadAllText(path)));

    static IEnumerable<string> MenuOf(IHtmlDocument page) =>
        page.QuerySelectorAll("nav > ul > li > a").Select(link => link.GetAttribute("href")!);
}
