// All pages of the site: the listed ones, and those of the files of the tree that they link to. Links are turned into
// those of the site first, then every link and anchor is held against what there is.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Markdig;
using Markdig.Extensions.AutoIdentifiers;
using Markdig.Extensions.Tables;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace FastBackup.Site;

static class SiteBuilder
{
    static readonly MarkdownPipeline s_pipeline = new MarkdownPipelineBuilder()
        .UsePipeTables()
        .UseAutoIdentifiers(AutoIdentifierOptions.GitHub)
        .Build();

    /// <param name="listed">The pages of the menu.</param>
    /// <returns>What stands in each file of the site.</returns>
    public static SortedDictionary<string, string> Build(IReadOnlyList<Page> listed)
    {
        List<Page> pages = [.. listed];
        Dictionary<string, Page> known = pages.ToDictionary(page => page.Source);
        List<(Page Page, MarkdownDocument Document)> parsed = [];
        for (int at = 0; at < pages.Count; at++) // links add pages to it
        {
            MarkdownDocument document = Markdown.Parse(pages[at].Text, s_pipeline);
            DropComments(document, pages[at]);
            UncoverBars(document);
            Links links = new(pages[at], known, pages.Add);
            links.Turn(document);
            parsed.Add((pages[at], document));
        }
        Dictionary<string, HashSet<string>> anchors = parsed.ToDictionary(
            one => one.Page.FileName,
            one => one.Document.Descendants().Select(part => part.TryGetAttributes()?.Id).OfType<string>().ToHashSet()
        );
        SortedDictionary<string, string> files = new(StringComparer.Ordinal);
        foreach ((Page page, MarkdownDocument document) in parsed)
        {
            Links.Check(page, document, anchors);
            if (!files.TryAdd(page.FileName, Layout.Write(page, document, s_pipeline, listed)))
                throw new SiteException($"two pages are called {page.FileName}; one is {page.Source}");
        }
        files.Add("style.css", Resource("style.css"));
        return files;
    }

    /// <summary>Comments tell tests what to do with a block. There is no other HTML in the documents.</summary>
    static void DropComments(MarkdownDocument document, Page page)
    {
        foreach (HtmlBlock block in document.Descendants<HtmlBlock>().ToArray())
        {
            if (block.Type != HtmlBlockType.Comment)
                throw new SiteException($"{page.Source}:{block.Line + 1}: raw HTML; say it in Markdown");
            _ = block.Parent!.Remove(block);
        }
    }

    /// <summary>A bar in a table is written as \|, also inside of code, where the parser leaves it so.</summary>
    static void UncoverBars(MarkdownDocument document)
    {
        foreach (TableCell cell in document.Descendants<TableCell>())
        foreach (CodeInline code in cell.Descendants<CodeInline>())
            code.Content = code.Content.Replace("\\|", "|", StringComparison.Ordinal);
    }

    static string Resource(string name)
    {
        using Stream stream = typeof(SiteBuilder).Assembly.GetManifestResourceStream(name)!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
